#include "arizuko/doctor/checks.hpp"

#include <array>

#include <unistd.h>

namespace arizuko::doctor {

namespace {

constexpr std::array<CheckEntry, 23> entries = {{
    {"data-dir", "the data directory: owner, mode, writable", check_data_dir},
    {"free-space", "room and inodes on its file system", check_free_space},
    {"file-system", "its file system can hold SQLite's WAL", check_file_system},
    {"lock", "who runs on the data directory", check_lock},
    {"last-run", "what an earlier run left alive", check_last_run},
    {"ports", "the plan's ports are free", check_ports},
    {"dotenv", "owner and mode of the .env file", check_dotenv},
    {"skills", "HOST_APP_DIR holds the agents' skills", check_skills},
    {"users", "services with a user of their own can run as him", check_users},
    {"programs", "every program is there and can be run", check_programs},
    {"time-zone", "TZ has data in this image", check_time_zone},
    {"docker", "docker answers as who runs agents asks it", check_docker},
    {"agents", "agents can run, and their turns go well", check_agents},
    {"control-groups", "something holds the plan's limits", check_control_groups},
    {"needed-values", "values that services cannot do without", check_needed},
    {"generated-values", "values that are made once: which, and who may read them", check_generated},
    {"joined-values", "lists of keys: none missing, none doubled", check_joined},
    {"guarded-keys", "guarded keys whose new value waits", check_guarded},
    {"development", "ARIZUKO_DEV opens doors", check_development},
    {"assistant-name", "ASSISTANT_NAME is one that the daemons can take", check_assistant},
    {"whisper", "voice goes to a server of ours", check_whisper},
    {"socket-paths", "the agents' sockets fit in 107 bytes", check_socket_paths},
    {"database", "the databases are SQLite's, and this line's", check_database},
}};

}  // namespace

std::span<const CheckEntry> all_checks() { return entries; }

Findings run_all(const Context& context) {
  Findings all;
  for (const CheckEntry& entry : entries) append(all, entry.look(context));
  return all;
}

User this_user() {
  User user{::geteuid(), ::getegid(), {}};
  std::array<gid_t, 1024> groups{};
  const int number = ::getgroups(static_cast<int>(groups.size()), groups.data());
  if (number > 0) user.groups.assign(groups.begin(), groups.begin() + number);
  return user;
}

}  // namespace arizuko::doctor
