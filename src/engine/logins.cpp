#include "logins.hpp"

#include "values_in_force.hpp"

namespace arizuko::engine {

std::vector<LoginFiles> Logins::before_run(ServiceId id, const std::vector<plan::CachedLogin>& cached,
                                           const env::Snapshot& last, const env::Snapshot& now) {
  std::vector<LoginFiles> actions;
  for (const plan::CachedLogin& login : cached) {
    const std::optional<std::string> before = text_of(last, login.key);
    const std::optional<std::string> after = text_of(now, login.key);
    if (before == after) continue;
    Aside& aside = aside_[id];
    const auto made_with = aside.find(login.key);
    if (made_with == aside.end()) {
      aside[login.key] = before;
      actions.push_back({LoginFiles::Do::set_aside, id, login.key});
    } else if (made_with->second == after) {
      aside.erase(made_with);
      actions.push_back({LoginFiles::Do::put_back, id, login.key});
    } else {
      actions.push_back({LoginFiles::Do::drop, id, login.key});
    }
  }
  return actions;
}

std::vector<LoginFiles> Logins::forget(ServiceId id) {
  std::vector<LoginFiles> actions;
  const auto aside = aside_.find(id);
  if (aside == aside_.end()) return actions;
  for (const auto& [key, value] : aside->second) actions.push_back({LoginFiles::Do::forget, id, key});
  aside_.erase(aside);
  return actions;
}

}  // namespace arizuko::engine
