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

// A value that no service was started with yet is free: nothing was stored under it in this run.
bool Engine::Machine::has_been_seen(const std::string& key) const { return remembered_.contains(key); }

// By its own name, or by what `env` makes the service see under it.
bool Engine::Machine::sees(ServiceId id, const std::string& key) const {
  const plan::Service& what = service(id);
  if (what.kind != plan::Kind::service) return false;
  const std::vector<std::string> scope = env::scope(*plan_, what);
  return std::ranges::binary_search(scope, key) ||
         std::ranges::any_of(what.env, [&](const auto& each) { return each.first == key; });
}

std::optional<std::string> Engine::Machine::seen_now(const std::string& key,
                                                     const env::Snapshot& snapshot) const {
  return env::seen_as(*plan_, key, snapshot);
}

bool Engine::Machine::is_accepted(const std::string& key, const std::optional<std::string>& value) const {
  const auto accepted = accepted_.find(key);
  return accepted != accepted_.end() && accepted->second == value;
}

// The keys for whose sake a service may not start: the last run had other values.
std::vector<std::string> Engine::Machine::unaccepted_keys(ServiceId id) const {
  std::vector<std::string> keys;
  for (const std::string& key : plan_->env.guarded) {
    const bool held =
        unlike_last_run_.contains(key) && !has_been_seen(key) && !is_accepted(key, seen_now(key, *snapshot_));
    if (held && sees(id, key)) keys.push_back(key);
  }
  return keys;
}

// What was seen and is not accepted stays, also where a service sees another key under the guarded name.
void Engine::Machine::hold_guarded(env::Snapshot& kept, Held& held, const EnvironmentChanged& offer) const {
  for (const std::string& key : plan_->env.guarded) {
    const std::optional<std::string> wanted = seen_now(key, kept);
    if (seen_now(key, *snapshot_) == wanted || !has_been_seen(key) || is_accepted(key, wanted)) continue;
    const std::string lost = seen_now(key, *snapshot_) ? lost_with_another : lost_with_the_first;
    hold(kept, held, key, {HeldWhy::guarded, lost, wanted, offer.snapshot->generation, now_});
    for (const std::string& part : env::made_of(*plan_, key)) keep_old_value(kept, part);
  }
}

// What a new plan would have services see under a guarded name, without any value having changed. Empty:
// nothing.
std::string Engine::Machine::guarded_change(const plan::Plan& fresh) const {
  for (const std::string& key : fresh.env.guarded) {
    if (!snapshot_ || !has_been_seen(key)) continue;
    if (env::seen_as(fresh, key, *snapshot_) == seen_now(key, *snapshot_)) continue;
    return fmt::format(
        "services would see another {}, which is guarded: {}. End the run and start it with the new plan: "
        "then `arizuko-init secrets accept {}` is asked for",
        key, lost_with_another, key);
  }
  return "";
}

void Engine::Machine::note_unlike_last_run(const std::set<std::string>& before) {
  for (const std::string& key : unlike_last_run_) {
    if (before.contains(key) || has_been_seen(key)) continue;
    note_pod(What::value_unlike_last_run,
             fmt::format("{} is not what it was in the last run, and is held back: {}. What sees it does not "
                         "start. Put the old value back, or accept the new one with `arizuko-init secrets "
                         "accept {}`",
                         key, lost_with_another, key));
  }
}

// At boot: what blocks the services that see it is in force, but for them.
bool Engine::Machine::accept_at_boot(const Accept& event) {
  if (!unlike_last_run_.contains(event.key) || has_been_seen(event.key)) return false;
  accepted_[event.key] = seen_now(event.key, *snapshot_);
  note_pod(What::value_accepted, fmt::format("{} is accepted by the {}", event.key, event.by));
  put_in_force(snapshot_, values_since_);
  show_held_keys();
  return true;
}

// Before a service starts with them.
void Engine::Machine::remember_guarded_values(ServiceId id) {
  for (const std::string& key : plan_->env.guarded) {
    if (!sees(id, key)) continue;
    const std::optional<std::string> value = seen_now(key, *snapshot_);
    const auto known = remembered_.find(key);
    if (known != remembered_.end() && known->second == value) continue;
    remembered_[key] = value;
    emit(Remember{key, std::make_shared<const env::Snapshot>(env::seen_values(*plan_, {key}, *snapshot_))});
  }
}

}  // namespace arizuko::engine
