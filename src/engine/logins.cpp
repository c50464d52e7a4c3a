// Files in which a service keeps a login (plan: `cached`). While they are there it does not try a new
// password, so a rotation would prove nothing: they are set aside when the value changes, put back on the way
// back, and forgotten when the new value has proved good.
#include "machine.hpp"

namespace arizuko::engine {

namespace {

std::optional<std::string> text_of(const env::Snapshot& snapshot, const std::string& key) {
  const std::string* text = snapshot.find(key);
  return text != nullptr ? std::optional(*text) : std::nullopt;
}

}  // namespace

// Before a run that gets the values in force. `last_values`: those of the run before, if there was one.
void Engine::Machine::care_for_logins(ServiceId id, const env::Snapshot* last_values) {
  Runtime& run = runs_[id];
  if (last_values == nullptr) return;
  for (const plan::CachedLogin& login : service(id).cached) {
    const std::optional<std::string> before = text_of(*last_values, login.key);
    const std::optional<std::string> now = text_of(*snapshot_, login.key);
    if (before == now) continue;
    const auto aside = run.logins_aside.find(login.key);
    if (aside == run.logins_aside.end()) {
      run.logins_aside[login.key] = before;
      emit(LoginFiles{LoginFiles::Do::set_aside, id, login.key});
    } else if (aside->second == now) {
      run.logins_aside.erase(aside);
      emit(LoginFiles{LoginFiles::Do::put_back, id, login.key});
    } else {
      emit(LoginFiles{LoginFiles::Do::drop, id, login.key});
    }
  }
}

// It serves with what it has.
void Engine::Machine::forget_logins(ServiceId id) {
  for (const auto& [key, value] : std::exchange(runs_[id].logins_aside, {}))
    emit(LoginFiles{LoginFiles::Do::forget, id, key});
}

void Engine::Machine::forget_all_logins() {
  for (ServiceId id = 0; id < runs_.size(); ++id) {
    if (state(id) == State::ready) forget_logins(id);
  }
}

}  // namespace arizuko::engine
