#include "saved_logins.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "host/state/login_files.hpp"

namespace arizuko::host {

std::vector<std::string> move_logins(const plan::Plan& plan, const engine::LoginFiles& action) {
  const plan::Service& service = plan.services[action.service];
  const auto login = std::ranges::find(service.cached, action.key, &plan::CachedLogin::key);
  if (login == service.cached.end()) return {};  // by a new plan
  std::vector<std::string> troubles;
  for (const std::string& file : login->files) {
    const auto done = move_login(plan.pod.data_dir, file, action.what);
    if (done) continue;
    troubles.push_back(fmt::format("{}: the login of {} that it keeps in {} {}: {}", service.name, action.key,
                                   file,
                                   action.what == engine::LoginFiles::Do::set_aside
                                       ? "cannot be set aside, so the new value may stay untried"
                                       : "cannot be moved",
                                   done.error()));
  }
  return troubles;
}

void forget_old_logins(const plan::Plan& plan) {
  for (const plan::Service& each : plan.services) {
    for (const plan::CachedLogin& login : each.cached) {
      for (const std::string& file : login.files)
        static_cast<void>(move_login(plan.pod.data_dir, file, engine::LoginFiles::Do::forget));
    }
  }
}

}  // namespace arizuko::host
