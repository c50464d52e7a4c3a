// Services with a user of their own: what stands in their way before they are started.
#include <fmt/format.h>

#include "arizuko/doctor/checks.hpp"
#include "arizuko/posix/accounts.hpp"
#include "files.hpp"
#include "known.hpp"

namespace arizuko::doctor {

namespace {

struct Closed {
  std::string directory;
  struct stat info;
};

/// The first directory on the way to `path` that `user` cannot enter, of those that are there.
std::optional<Closed> closed_to(const User& user, const std::string& path) {
  for (std::size_t end = 1; end <= path.size(); ++end) {
    if (end != path.size() && end != 1 && path[end] != '/') continue;
    const std::string directory = path.substr(0, end);
    const auto info = look_at(directory);
    if (!info || !S_ISDIR(info->st_mode)) return std::nullopt;
    if (!may(user, *info, Right::enter)) return Closed{directory, *info};
  }
  return std::nullopt;
}

std::string key_of(const plan::Service& service) {
  return fmt::format("{}.{}.user", service.kind == plan::Kind::task ? "task" : "service", service.name);
}

/// What lies in it is made, or opened to everybody, at the start.
bool is_in_state_dir(const plan::Plan& plan, const std::string& path) {
  return path.starts_with(plan.pod.data_dir + "/.arizuko-init/");
}

void look_at_user(const Context& context, const plan::Service& service, Findings& found) {
  const auto finding = [&](Severity severity, std::string_view what, std::string_view why,
                           std::string_view fix) {
    add(found, severity, "users", service.where, key_of(service), what, why, fix);
  };
  const posix::Account account = posix::account_of(*service.uid, service.gid);
  const User user{account.uid, account.gid, {account.groups.begin(), account.groups.end()}};
  const std::string& data_dir = context.plan.pod.data_dir;
  const std::string& cwd = is_in_state_dir(context.plan, service.cwd) ? data_dir : service.cwd;
  if (const auto closed = closed_to(user, cwd)) {
    return finding(
        Severity::error,
        fmt::format("uid {} cannot enter {} ({})", user.uid, closed->directory, owner_text(closed->info)),
        fmt::format("the working directory of {} is there: it cannot be started", service.name),
        fmt::format("chmod o+x {0}, or chown it to {1}:{2}", closed->directory, user.uid, user.gid));
  }
  const auto info = look_at(data_dir);
  if (info && !may(user, *info, Right::write)) {
    finding(Severity::warning,
            fmt::format("uid {} cannot write in {} ({})", user.uid, data_dir, owner_text(*info)),
            fmt::format("{} can make no file of its own in the data directory", service.name),
            fmt::format("chown it to {}:{}, or name what it needs in pod.make_dirs", user.uid, user.gid));
  }
}

}  // namespace

Findings check_users(const Context& context) {
  Findings found;
  for (const plan::Service* each : running(context)) {
    if (!each->uid || *each->uid == context.user.uid) continue;
    if (context.user.uid == 0) {
      look_at_user(context, *each, found);
      continue;
    }
    add(found, matters(context.plan, *each) ? Severity::error : Severity::warning, "users", each->where,
        key_of(*each),
        fmt::format("it is to run as uid {}, and this is uid {}", *each->uid, context.user.uid),
        fmt::format("only root can switch users: {} cannot be started", each->name),
        "leave `user` out of the plan, or run arizuko-init as root");
  }
  return found;
}

}  // namespace arizuko::doctor
