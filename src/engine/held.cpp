// Values that are held back, key by key: the value in force stays, and the rest of a generation is taken. Who
// takes a value has the trouble of it, and nobody else.
#include <algorithm>

#include <vector>

#include <fmt/format.h>

#include "arizuko/engine/why.hpp"
#include "arizuko/env/scope.hpp"
#include "machine.hpp"

namespace arizuko::engine {

namespace {

constexpr std::string_view process_environment = "environment";

bool gives_nothing(const std::string& source, const env::Snapshot& snapshot) {
  return std::ranges::none_of(snapshot.values,
                              [&](const auto& each) { return each.second.source == source; });
}

std::set<std::string> changed_keys(const env::Snapshot& before, const env::Snapshot& fresh) {
  const env::Difference keys = env::difference(before, fresh);
  std::set<std::string> all;
  for (const auto* list : {&keys.added, &keys.changed, &keys.removed}) all.insert(list->begin(), list->end());
  for (const auto& [key, why] : fresh.unusable) all.insert(key);
  return all;
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// What of an offer is taken

env::SnapshotPtr Engine::Machine::without_held(const EnvironmentChanged& offer) {
  failed_.offered(*offer.snapshot);
  if (offer.asked) failed_.release(std::nullopt);
  env::Snapshot kept = *offer.snapshot;
  Held held;
  for (const std::string& key : changed_keys(*snapshot(), *offer.snapshot)) {
    if (std::optional<HeldValue> value = why_held(key, offer)) hold(kept, held, key, std::move(*value));
  }
  hold_guarded(kept, held, offer);
  hold_what_is_needed(kept, held, offer);
  tell_of_held(held);
  held_back_ = std::move(held);
  show_held_keys();
  return held_back_.empty() ? offer.snapshot : std::make_shared<const env::Snapshot>(std::move(kept));
}

std::optional<HeldValue> Engine::Machine::why_held(const std::string& key,
                                                   const EnvironmentChanged& offer) const {
  const env::Snapshot& fresh = *offer.snapshot;
  const std::optional<std::string> wanted = text_of(fresh, key);
  if (const auto unusable = fresh.unusable.find(key); unusable != fresh.unusable.end()) {
    // From the start it is what blocks its takers; what nobody takes is nobody's trouble.
    if (snapshot()->unusable.contains(key) || !is_taken(key)) return std::nullopt;
    return HeldValue{HeldWhy::unusable, unusable->second, wanted, fresh.generation, now_};
  }
  if (const FailedValues::Entry* failed = failed_.holding(key, wanted))
    return HeldValue{HeldWhy::failed, failed->reason, wanted, failed->generation, failed->since};
  return why_gone(key, offer);
}

// A key that its source does not give any more. A source that gives nothing at all is more likely a file that
// is just being written, or a Secret deleted by mistake, than a wish; and what a weaker source happens to
// have for it (the CHANNEL_SECRET that `arizuko create` made up) was never meant to be used.
std::optional<HeldValue> Engine::Machine::why_gone(const std::string& key,
                                                   const EnvironmentChanged& offer) const {
  const auto before = snapshot()->values.find(key);
  if (before == snapshot()->values.end() || before->second.source == process_environment) return std::nullopt;
  const env::Snapshot& fresh = *offer.snapshot;
  const std::string& source = before->second.source;
  const auto now = fresh.values.find(key);
  const std::optional<std::string> wanted = text_of(fresh, key);
  if (guarded_.is_accepted(key, wanted)) return std::nullopt;
  if (now != fresh.values.end()) {
    if (strength(now->second.source) >= strength(source)) return std::nullopt;
    return HeldValue{HeldWhy::weaker,
                     fmt::format("it is gone from {}, and {} has another one", source, now->second.source),
                     wanted, fresh.generation, now_};
  }
  if (offer.asked || !gives_nothing(source, fresh)) return std::nullopt;
  return HeldValue{HeldWhy::emptied, fmt::format("nothing is left in {}", source), wanted, fresh.generation,
                   now_};
}

// The place of a source among those of the plan; what is none of them (made up for a rehearsal) is the
// weakest.
std::ptrdiff_t Engine::Machine::strength(const std::string& source) const {
  const std::vector<plan::Source>& sources = plan_->env.sources;
  const auto found =
      std::ranges::find_if(sources, [&](const plan::Source& each) { return plan::to_text(each) == source; });
  return found == sources.end() ? -1 : found - sources.begin();
}

bool Engine::Machine::is_taken(const std::string& key) const {
  return std::ranges::any_of(plan_->services, [&](const plan::Service& each) {
    return std::ranges::binary_search(env::scope(*plan_, each), key) ||
           std::ranges::any_of(each.enabled_when, [&](const auto& when) { return when.name == key; });
  });
}

void Engine::Machine::keep_old_value(env::Snapshot& kept, const std::string& key) const {
  kept.unusable.erase(key);
  const auto old_value = snapshot()->values.find(key);
  if (old_value != snapshot()->values.end()) {
    kept.values[key] = old_value->second;
    return;
  }
  kept.values.erase(key);
  if (const auto mark = snapshot()->unusable.find(key); mark != snapshot()->unusable.end())
    kept.unusable.insert(*mark);
}

void Engine::Machine::hold(env::Snapshot& kept, Held& held, const std::string& key, HeldValue value) const {
  keep_old_value(kept, key);
  // As long as it is the same value that is held for the same reason, it is held since then.
  const auto known = held_back_.find(key);
  if (known != held_back_.end() && known->second.why == value.why && known->second.wanted == value.wanted) {
    value.since = known->second.since;
    value.generation = known->second.generation;
  }
  held.insert_or_assign(key, std::move(value));
}

// What runs does not lose a value that it needs. Holding one back may switch a service on that needs another.
void Engine::Machine::hold_what_is_needed(env::Snapshot& kept, Held& held,
                                          const EnvironmentChanged& offer) const {
  for (bool again = true; std::exchange(again, false);) {
    for (ServiceId id = 0; id < runs_.size(); ++id) {
      const plan::Service& what = service(id);
      if (!is_up(state(id)) || runs_[id].switched_off || !what.enabled || !env::enabled(what, kept)) continue;
      for (const std::string& key : env::missing(what, kept)) {
        if (!snapshot()->has(key)) continue;
        hold(kept, held, key,
             {HeldWhy::needed, fmt::format("{} runs, and needs it", what.name), text_of(*offer.snapshot, key),
              offer.snapshot->generation, now_});
        again = true;
      }
    }
  }
}

// ---------------------------------------------------------------------------------------------
// What failed

// The keys that a service is to be blamed for: what changed of its own; else of what it was restarted with.
std::set<std::string> Engine::Machine::blamed_keys(ServiceId culprit, const env::Difference& keys) const {
  std::set<std::string> changed;
  for (const auto* list : {&keys.added, &keys.changed, &keys.removed})
    changed.insert(list->begin(), list->end());
  const auto seen_by = [&](ServiceId id) {
    std::set<std::string> seen;
    for (const std::string& key : env::scope(*plan_, service(id))) {
      if (changed.contains(key)) seen.insert(key);
    }
    for (const plan::EnabledWhen& when : service(id).enabled_when) {
      if (changed.contains(when.name)) seen.insert(when.name);
    }
    return seen;
  };
  std::set<std::string> blamed = seen_by(culprit);
  if (!blamed.empty()) return blamed;
  std::set<ServiceId> visited{culprit};  // and all that it comes after, near and far
  for (std::vector<ServiceId> open{culprit}; !open.empty();) {
    const ServiceId next = open.back();
    open.pop_back();
    for (const ServiceId other : dependencies_.prerequisites(next)) {
      if (!visited.insert(other).second) continue;
      blamed.merge(seen_by(other));
      open.push_back(other);
    }
  }
  return blamed.empty() ? changed : blamed;
}

Engine::Machine::Held Engine::Machine::hold_blamed(ServiceId culprit, const std::string& failure) {
  const std::string reason = fmt::format("{} did not bear it: {}", service(culprit).name, failure);
  rotation_->blamed = blamed_keys(culprit, shown_rotation().keys);
  Held held = held_back_;
  for (const std::string& key : rotation_->blamed) {
    failed_.add(key, *snapshot(), reason, now_);
    const std::optional<std::string> wanted = text_of(*snapshot(), key);
    const FailedValues::Entry& entry = *failed_.holding(key, wanted);
    held[key] = {HeldWhy::failed, reason, wanted, entry.generation, entry.since};
  }
  return held;
}

std::optional<Instant> Engine::Machine::retry_due() const {
  return rotation_ || stopping() || !snapshot() ? std::nullopt : failed_.due();
}

// True: it was due, and what was read meanwhile is offered again.
bool Engine::Machine::retry_what_is_due() {
  const std::vector<std::string> keys = failed_.release_due(now_);
  if (keys.empty()) return false;
  note_pod(What::value_retried,
           fmt::format("{} {} tried once more", fmt::join(keys, ", "), keys.size() == 1 ? "is" : "are"));
  show_held_keys();
  emit(ReadSources{ReadSources::For::retry});
  return true;
}

// ---------------------------------------------------------------------------------------------
// The operator

void Engine::Machine::on(const Accept& event) {
  if (stopping() || !snapshot()) return;
  const auto held = held_back_.find(event.key);
  if (held != held_back_.end() && can_be_accepted(held->second.why)) {
    guarded_.accept(event.key, held->second.wanted);
    note_pod(What::value_accepted, fmt::format("{} is accepted by the {}", event.key, event.by));
    operator_waits_ = true;
    emit(ReadSources{ReadSources::For::operator_});  // it comes back as a generation of its own
    return;
  }
  if (accept_at_boot(event)) return;
  note_pod(What::value_not_held,
           fmt::format("{} was to be accepted by the {}, but is not held back", event.key, event.by));
}

void Engine::Machine::on(const Retry& event) {
  if (stopping() || !snapshot()) return;
  std::vector<std::string> keys = failed_.release(event.key);
  if (keys.empty() && event.key && held_back_.contains(*event.key)) keys.push_back(*event.key);
  if (keys.empty()) {
    return note_pod(What::value_not_held,
                    fmt::format("{} to be tried again by the {}, but nothing of it failed",
                                event.key ? *event.key + " was" : "all was", event.by));
  }
  note_pod(What::value_retried, fmt::format("{} {} tried again: the {} asked for it", fmt::join(keys, ", "),
                                            keys.size() == 1 ? "is" : "are", event.by));
  operator_waits_ = true;
  show_held_keys();
  emit(ReadSources{ReadSources::For::operator_});
}

// ---------------------------------------------------------------------------------------------
// What people are told

std::string Engine::Machine::how_changed(const std::string& key,
                                         const std::optional<std::string>& wanted) const {
  const bool unusable = held_back_.contains(key) && held_back_.at(key).why == HeldWhy::unusable;
  if (!wanted && !unusable) return "removed";
  return snapshot()->find(key) != nullptr ? "changed" : "added";
}

std::string Engine::Machine::remedy(const std::string& key, const HeldValue& value) const {
  switch (value.why) {
    case HeldWhy::guarded: return fmt::format("Accept it with `arizuko-init secrets accept {}`", key);
    case HeldWhy::weaker:
      return fmt::format("Put it back, or accept the other one with `arizuko-init secrets accept {}`", key);
    case HeldWhy::emptied:
      return fmt::format(
          "If that is meant, say `arizuko-init secrets accept {}`, or `arizuko-init reload` for all", key);
    case HeldWhy::failed: {
      const FailedValues::Entry* entry = failed_.holding(key, value.wanted);
      if (entry == nullptr) return "It is being tried again";
      if (entry->retry_at)
        return fmt::format("It is tried once more in {}", duration_text(*entry->retry_at - now_));
      return fmt::format("It is offered again when it changes, or by `arizuko-init secrets retry {}`", key);
    }
    case HeldWhy::needed: return "Set it, or stop what needs it and say `arizuko-init reload`";
    case HeldWhy::unusable: return "Mend it in its source";
  }
  return "";
}

void Engine::Machine::tell_of_held(const Held& held) {
  for (const auto& [key, value] : held) {
    const auto known = held_back_.find(key);
    const bool told = known != held_back_.end() && known->second.why == value.why &&
                      known->second.wanted == value.wanted && known->second.reason == value.reason;
    const FailedValues::Entry* entry = failed_.holding(key, value.wanted);
    const bool news = value.why == HeldWhy::failed && entry != nullptr && entry->failures > 1 && rotation_;
    if (told && !news) continue;
    const bool set = snapshot()->find(key) != nullptr;
    const std::string how = !value.wanted && value.why != HeldWhy::unusable ? "removed"
                            : set                                           ? "changed"
                                                                            : "added";
    note_pod(What::value_held_back,
             fmt::format("{} was {} and is held back, {}: {}. {}", key, how,
                         set ? "the old value stays" : "it stays unset", value.reason, remedy(key, value)));
  }
}

void Engine::Machine::show_held_keys() {
  view_.held_keys.clear();
  if (!snapshot()) return;
  for (const auto& [key, value] : held_back_) {
    const FailedValues::Entry* entry = failed_.holding(key, value.wanted);
    view_.held_keys.push_back({.key = key,
                               .how = how_changed(key, value.wanted),
                               .blocks = false,
                               .why = value.why,
                               .reason = value.reason,
                               .remedy = remedy(key, value),
                               .generation = value.generation,
                               .since = value.since,
                               .retry_at = entry != nullptr ? entry->retry_at : std::nullopt});
  }
  for (const auto& [key, why] : snapshot()->unusable) {
    if (held_back_.contains(key) || !is_taken(key)) continue;
    view_.held_keys.push_back({.key = key,
                               .how = "unusable",
                               .blocks = true,
                               .why = HeldWhy::unusable,
                               .reason = why,
                               .remedy = "Mend it in its source",
                               .generation = snapshot()->generation,
                               .since = in_force_.since,
                               .retry_at = {}});
  }
  for (const std::string& key : in_force_.unlike_last_run) {
    const std::optional<std::string> seen = seen_now(key, *snapshot());
    if (guarded_.is_used(key) || guarded_.is_accepted(key, seen)) continue;
    view_.held_keys.push_back({.key = key,
                               .how = seen ? "changed" : "removed",
                               .blocks = true,
                               .why = HeldWhy::guarded,
                               .reason = "it is not what it was in the last run",
                               .remedy = fmt::format("Put the old value back, or accept the new one with "
                                                     "`arizuko-init secrets accept {}`",
                                                     key),
                               .generation = snapshot()->generation,
                               .since = in_force_.since,
                               .retry_at = {}});
  }
}

std::string Engine::Machine::held_names() const {
  std::string names;
  for (const auto& [key, value] : held_back_)
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", key, value.reason);
  return names;
}

// "A, which is not set", "A: its value holds a NUL byte"
std::string Engine::Machine::why_missing(const std::vector<std::string>& keys) const {
  std::string text;
  for (const std::string& key : keys) {
    const auto unusable = snapshot()->unusable.find(key);
    if (unusable == snapshot()->unusable.end()) continue;
    text += fmt::format("{}{}, which cannot be used: {}", text.empty() ? "" : "; ", key, unusable->second);
  }
  return text.empty() ? fmt::format("{}, which is not set", fmt::join(keys, ", ")) : text;
}

}  // namespace arizuko::engine
