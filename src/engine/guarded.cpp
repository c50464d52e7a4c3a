// Guarded keys: what is stored under their values would be lost with a new one (T16), so a change is held
// back until an operator accepts it. In a running instance the old value stays. At boot, where only a
// likeness of the last run's value is known, the services that see the key do not start.
#include <algorithm>

#include <fmt/format.h>

#include "arizuko/env/scope.hpp"
#include "machine.hpp"

namespace arizuko::engine {

namespace {

constexpr const char* lost_with_another =
    "what was stored under the old value could not be read any more, and gated may delete it";
constexpr const char* lost_with_the_first =
    "there was none, and what was stored without one gated may delete at its next start";

}  // namespace

std::optional<std::string> Engine::Machine::seen_now(const std::string& key,
                                                     const env::Snapshot& snapshot) const {
  return env::seen_as(*plan_, key, snapshot);
}

// What was seen and is not accepted stays, also where a service sees another key under the guarded name.
void Engine::Machine::hold_guarded(env::Snapshot& kept, Held& held, const EnvironmentChanged& offer) const {
  for (const std::string& key : plan_->env.guarded) {
    const std::optional<std::string> wanted = seen_now(key, kept);
    if (seen_now(key, *snapshot()) == wanted || !guarded_.is_used(key) || guarded_.is_accepted(key, wanted))
      continue;
    const std::string lost = seen_now(key, *snapshot()) ? lost_with_another : lost_with_the_first;
    hold(kept, held, key, {HeldWhy::guarded, lost, wanted, offer.snapshot->generation, now_});
    for (const std::string& part : env::made_of(*plan_, key)) keep_old_value(kept, part);
  }
}

// What a new plan would have services see under a guarded name, without any value having changed. Empty:
// nothing.
std::string Engine::Machine::guarded_change(const plan::Plan& fresh) const {
  const std::optional<std::string> key =
      snapshot() ? guarded_.changed_by(fresh, *plan_, *snapshot()) : std::nullopt;
  if (!key) return "";
  return fmt::format(
      "services would see another {}, which is guarded: {}. End the run and start it with the new plan: "
      "then `arizuko-init secrets accept {}` is asked for",
      *key, lost_with_another, *key);
}

void Engine::Machine::note_unlike_last_run(const std::set<std::string>& before) {
  for (const std::string& key : in_force_.unlike_last_run) {
    if (before.contains(key) || guarded_.is_used(key)) continue;
    note_pod(What::value_unlike_last_run,
             fmt::format("{} is not what it was in the last run, and is held back: {}. What sees it does not "
                         "start. Put the old value back, or accept the new one with `arizuko-init secrets "
                         "accept {}`",
                         key, lost_with_another, key));
  }
}

// At boot: what blocks the services that see it is in force, but for them.
bool Engine::Machine::accept_at_boot(const Accept& event) {
  if (!in_force_.unlike_last_run.contains(event.key) || guarded_.is_used(event.key)) return false;
  guarded_.accept(event.key, seen_now(event.key, *snapshot()));
  note_pod(What::value_accepted, fmt::format("{} is accepted by the {}", event.key, event.by));
  put_in_force(in_force_);
  show_held_keys();
  return true;
}

}  // namespace arizuko::engine
