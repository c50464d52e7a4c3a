// Guarded keys: what is stored under their values would be lost with a new one (T16), so a change is held
// back until an operator accepts it. In a running instance the old value stays. At boot, where only a
// likeness of the last run's value is known, the services that see the key do not start.
#include <algorithm>

#include <fmt/format.h>

#include "arizuko/env/scope.hpp"
#include "machine.hpp"

namespace arizuko::engine {

namespace {

std::optional<std::string> text_of(const env::Snapshot& snapshot, const std::string& key) {
  const std::string* text = snapshot.find(key);
  return text != nullptr ? std::optional(*text) : std::nullopt;
}

constexpr const char* what_is_lost =
    "what was stored under the old value could not be read any more, and gated may delete it";

}  // namespace

// A value that no service was started with yet is free: nothing was stored under it in this run.
bool Engine::Machine::has_been_seen(const std::string& key) const { return remembered_.contains(key); }

bool Engine::Machine::sees(ServiceId id, const std::string& key) const {
  if (service(id).kind != plan::Kind::service) return false;
  const std::vector<std::string> scope = env::scope(*plan_, service(id));
  return std::ranges::find(scope, key) != scope.end();
}

bool Engine::Machine::is_accepted(const std::string& key, const env::Snapshot& snapshot) const {
  const auto accepted = accepted_.find(key);
  return accepted != accepted_.end() && accepted->second == text_of(snapshot, key);
}

// The keys for whose sake a service may not start: the last run had other values.
std::vector<std::string> Engine::Machine::unaccepted_keys(ServiceId id) const {
  std::vector<std::string> keys;
  for (const std::string& key : plan_->env.guarded) {
    const bool held = unlike_last_run_.contains(key) && !has_been_seen(key) && !is_accepted(key, *snapshot_);
    if (held && sees(id, key)) keys.push_back(key);
  }
  return keys;
}

// The same snapshot with the old values of guarded keys that have been seen and are not accepted.
env::SnapshotPtr Engine::Machine::without_guarded_changes(const env::SnapshotPtr& fresh) {
  env::Snapshot kept = *fresh;
  std::map<std::string, std::optional<std::string>> held;
  for (const std::string& key : plan_->env.guarded) {
    const std::optional<std::string> wanted = text_of(*fresh, key);
    if (text_of(*snapshot_, key) == wanted || !has_been_seen(key) || is_accepted(key, *fresh)) continue;
    held[key] = wanted;
    const auto old_value = snapshot_->values.find(key);
    if (old_value == snapshot_->values.end()) {
      kept.values.erase(key);
    } else {
      kept.values[key] = old_value->second;
    }
  }
  for (const auto& [key, value] : held) {
    const auto known = held_back_.find(key);
    if (known != held_back_.end() && known->second == value) continue;
    note_pod(What::value_held_back,
             fmt::format("{} was {} and is held back, the old value stays: {}. Accept it with `arizuko-init "
                         "secrets accept {}`",
                         key, how_changed(key, value), what_is_lost, key));
  }
  held_back_ = std::move(held);
  return held_back_.empty() ? fresh : std::make_shared<const env::Snapshot>(std::move(kept));
}

std::string Engine::Machine::how_changed(const std::string& key,
                                         const std::optional<std::string>& wanted) const {
  if (!wanted) return "removed";
  return snapshot_->find(key) != nullptr ? "changed" : "added";
}

void Engine::Machine::note_unlike_last_run(const std::set<std::string>& before) {
  for (const std::string& key : unlike_last_run_) {
    if (before.contains(key) || has_been_seen(key)) continue;
    note_pod(What::value_unlike_last_run,
             fmt::format("{} is not what it was in the last run, and is held back: {}. What sees it does not "
                         "start. Put the old value back, or accept the new one with `arizuko-init secrets "
                         "accept {}`",
                         key, what_is_lost, key));
  }
}

void Engine::Machine::show_held_keys() {
  view_.held_keys.clear();
  for (const auto& [key, value] : held_back_)
    view_.held_keys.push_back({key, how_changed(key, value), false});
  if (!snapshot_) return;
  for (const std::string& key : unlike_last_run_) {
    if (has_been_seen(key) || is_accepted(key, *snapshot_)) continue;
    view_.held_keys.push_back({key, snapshot_->find(key) != nullptr ? "changed" : "removed", true});
  }
}

void Engine::Machine::on(const Accept& event) {
  if (stopping() || !snapshot_) return;
  const auto live = held_back_.find(event.key);
  if (live != held_back_.end()) {
    accepted_[event.key] = live->second;
    note_pod(What::value_accepted, fmt::format("{} is accepted by the {}", event.key, event.by));
    emit(ReadSources{});  // it comes back as a generation of its own
    return;
  }
  if (!unlike_last_run_.contains(event.key) || has_been_seen(event.key)) {
    return note_pod(What::value_not_held, fmt::format("{} was to be accepted by the {}, but is not held back",
                                                      event.key, event.by));
  }
  accepted_[event.key] = text_of(*snapshot_, event.key);
  note_pod(What::value_accepted, fmt::format("{} is accepted by the {}", event.key, event.by));
  put_in_force(snapshot_, values_since_);
  show_held_keys();
}

// Before a service starts with them.
void Engine::Machine::remember_guarded_values(ServiceId id) {
  for (const std::string& key : plan_->env.guarded) {
    if (!sees(id, key)) continue;
    const std::optional<std::string> value = text_of(*snapshot_, key);
    const auto known = remembered_.find(key);
    if (known != remembered_.end() && known->second == value) continue;
    remembered_[key] = value;
    emit(Remember{key, snapshot_});
  }
}

}  // namespace arizuko::engine
