// `arizuko create NAME [--product P]`: contract section 10, with its traps.
//
// The database, services/ and .env go to the instance directory, the group's files to DATA_DIR or
// the working directory (T13). Every run resets group main's container_config and product (T12)
// and brings deleted default tasks back, due now (0.6). Plain text, no JSON.
//
// Today there are four databases, of which only routd's is more than an empty file, and .env holds
// AUTH_SECRET and SECRETS_KEY in place of a CHANNEL_SECRET; the group's reset and the tasks are as before.
#include "config.hpp"
#include "daemon.hpp"
#include "daemons.hpp"
#include "faults.hpp"
#include "slog.hpp"
#include "store.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>

namespace rehearsal {
namespace {

namespace fs = std::filesystem;
const Log plain{LogShape::Slog};

constexpr std::string_view usage = "usage: arizuko create <name> [--product P]   (rehearsal, not arizuko)\n";

struct Asked {
  std::string name, product;
};

int fail(std::string_view why) {
  write_all(2, fmt::format("Failed: {}\n", why));
  return 1;
}

bool valid_name(std::string_view name) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  return !name.empty() && name.size() <= 32 && name.front() != '-' &&
         name.find_first_not_of(letters) == std::string_view::npos;
}

std::string instance_directory(std::string_view name) {
  auto root = Environment::text_or("ARIZUKO_DATA_DIR", "");
  if (root.empty()) root = Environment::text_or("PREFIX", "/srv") + "/data";
  return fmt::format("{}/arizuko_{}", root, name);
}

std::string random_secret() {
  std::array<unsigned char, 32> raw{};
  std::string text;
  if (::getrandom(raw.data(), raw.size(), 0) < 0) return text;
  for (const auto byte : raw) text += fmt::format("{:02x}", byte);
  return text;
}

std::expected<void, std::string> make_services(const std::string& directory) {
  std::error_code error;
  fs::create_directories(directory + "/services", error);
  if (error)
    return std::unexpected(fmt::format("mkdir services: mkdir {}/services: {}", directory, error.message()));
  ::chmod((directory + "/services").c_str(), 0755);
  return {};
}

// Only if absent, 0600, with secrets that are NOT the environment's (T14).
std::expected<void, std::string> write_dotenv(const std::string& directory, Line line, std::string_view name,
                                              const Config& config) {
  const auto path = directory + "/.env";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0 && errno == EEXIST) return {};
  if (file < 0) return std::unexpected(fmt::format("write .env: open {}: {}", path, std::strerror(errno)));
  const auto secrets = line == Line::Today
                           ? fmt::format("AUTH_SECRET={}\nSECRETS_KEY={}\n", random_secret(), random_secret())
                           : fmt::format("CHANNEL_SECRET={}\n", random_secret());
  write_all(file, fmt::format("ASSISTANT_NAME={}\nCONTAINER_IMAGE={}\nAPI_PORT=8080\n{}", name,
                              config.container_image, secrets));
  ::close(file);
  return {};
}

// The group's skeleton: where DATA_DIR says, else under the working directory. Trouble is a
// warning and exit 0 (T13).
void seed_group(const Config& config) {
  const auto group = fs::path(config.data_dir) / "groups" / "main";
  std::error_code error;
  fs::create_directories(group / ".claude" / "skills", error);
  if (error) {
    plain.text(Level::Warn, fmt::format("seed group dir: mkdir {}: {}", group.string(), error.message()));
    return;
  }
  const auto ant = fs::path(config.host_app_dir) / "ant";
  // A wrong HOST_APP_DIR is silent (contract 0.7).
  std::error_code silent;
  fs::copy(ant / "skills", group / ".claude" / "skills",
           fs::copy_options::recursive | fs::copy_options::skip_existing, silent);
  fs::copy_file(ant / "CLAUDE.md", group / ".claude" / "CLAUDE.md", fs::copy_options::skip_existing, silent);
  for (const auto& path : {group, group / ".claude"}) (void)::lchown(path.c_str(), 1000, 1000);
}

void refresh_merge_base(const Config& config) {
  const auto path = fs::path(config.data_dir) / "groups" / "main" / ".claude" / ".merge-base";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return;
  write_all(file, fmt::format("rehearsal {}\n", std::time(nullptr)));
  ::close(file);
}

std::expected<void, std::string> write_rows(Store& store, std::string_view product) {
  auto done = store.run(
      "INSERT INTO groups (folder, name, product, container_config, added_at)"
      " VALUES ('main', 'main', ?1, '{}', datetime('now'))"
      " ON CONFLICT (folder) DO UPDATE SET product = ?1, container_config = '{}'",
      {product});
  for (const std::string_view task :
       {"main-daily", "main-weekly", "main-diary", "main-episodes", "main-review"}) {
    if (!done) break;
    done = store.run(
        "INSERT OR IGNORE INTO scheduled_tasks (id, owner, chat_jid, prompt, interval_seconds, next_run)"
        " VALUES (?1, 'main', 'main', 'rehearse', 86400, strftime('%s', 'now'))",
        {task});
  }
  return done;
}

// The database with the groups. Today the other three are made as empty files, which their owners migrate.
std::expected<Store, std::string> make_databases(const std::string& directory, Line line) {
  if (line == Line::Gated) return Store::open(messages_db(directory), StoreUse::Migrates);
  for (const auto& path : {auth_db(directory), onbod_db(directory), runed_db(directory)}) {
    std::error_code error;
    fs::create_directories(fs::path(path).parent_path(), error);
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return std::unexpected(fmt::format("{}: {}", path, std::strerror(errno)));
    ::close(file);
  }
  return Store::open(routd_db(directory), StoreUse::Migrates, Schema::Routd);
}

int create(const Asked& asked) {
  const Line line = this_line();
  auto config = load_config(line);
  if (!config) return fail(fmt::format("load config: {}", config.error()));
  if (!valid_name(asked.name)) {
    return fail(
        fmt::format("invalid instance name {:?}: want [A-Za-z0-9_-], at most 32, no leading -", asked.name));
  }
  if (!asked.product.empty() &&
      !fs::exists(fs::path(config->host_app_dir) / "ant" / "examples" / asked.product)) {
    return fail(fmt::format("unknown product {:?}", asked.product));
  }
  const auto directory = instance_directory(asked.name);
  if (line == Line::Today) config->data_dir = Environment::text_or("DATA_DIR", directory);
  if (auto done = make_services(directory); !done) return fail(done.error());
  if (auto done = write_dotenv(directory, line, asked.name, *config); !done) return fail(done.error());
  auto store = make_databases(directory, line);
  if (!store) return fail(fmt::format("open db: {}", store.error()));
  const auto main_group = store->rows("SELECT 1 FROM groups WHERE folder = 'main'");
  if (!main_group) return fail(fmt::format("open db: {}", main_group.error()));
  if (main_group->empty()) seed_group(*config);
  if (auto done = write_rows(*store, asked.product); !done)
    return fail(fmt::format("group main: {}", done.error()));
  refresh_merge_base(*config);
  write_all(1, fmt::format("created instance {} at {}\n", asked.name, directory));
  return 0;
}

// The file's and the environment's boot faults: a seeding task that fails, dies or takes long.
void act_boot_faults() {
  auto faults = parse_faults(Environment::text_or("REHEARSAL_FAULTS", ""), ',').faults;
  const auto text = read_file(fault_directory() + "/arizuko", 64 << 10).value_or("");
  for (auto& fault : parse_faults(text).faults) faults.push_back(std::move(fault));
  for (const auto& fault : faults) {
    if (fault.kind == FaultKind::SlowBoot) ::usleep(static_cast<useconds_t>(fault.number * 1000));
    if (fault.kind == FaultKind::HangAtBoot) ::pause();
    if (fault.kind == FaultKind::CrashAtBoot) ::raise(SIGABRT);
    if (fault.kind == FaultKind::ExitAtBoot) {
      fail("rehearsal fault: exit-at-boot");
      std::_Exit(static_cast<int>(fault.number));
    }
  }
}

}  // namespace

int run_arizuko(std::span<char* const> arguments) {
  plain.text(Level::Info, "rehearsal of arizuko create, not arizuko");
  Asked asked;
  const bool known = arguments.size() >= 2 && std::string_view(arguments[0]) == "create";
  for (std::size_t at = 1; known && at < arguments.size(); ++at) {
    const std::string_view word = arguments[at];
    if (word == "--product" && at + 1 < arguments.size()) {
      asked.product = arguments[++at];
    } else if (word.starts_with("--product=")) {
      asked.product = word.substr(10);
    } else if (word.starts_with("--")) {
      write_all(2, fmt::format("flag provided but not defined: {}\n", word));
      return 2;
    } else if (asked.name.empty()) {
      asked.name = word;
    }
  }
  if (!known || asked.name.empty()) {
    write_all(1, usage);
    return 1;
  }
  act_boot_faults();
  return create(asked);
}

}  // namespace rehearsal
