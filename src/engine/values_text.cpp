#include "values_text.hpp"

#include <fmt/format.h>

#include "arizuko/engine/why.hpp"
#include "arizuko/env/scope.hpp"

namespace arizuko::engine {

// ---------------------------------------------------------------------------------------------
// A generation

std::string taken_first_text(const env::Snapshot& snapshot) {
  return fmt::format("generation {} is taken: {} values", snapshot.generation, snapshot.values.size());
}

std::string taken_text(env::Generation generation, const env::Difference& keys) {
  return fmt::format("generation {} is taken: {}", generation,
                     keys.empty() ? "nothing that is not in force" : env::to_text(keys));
}

std::string superseded_text(env::Generation older, env::Generation newer) {
  return fmt::format("generation {} is superseded by generation {} before its turn", older, newer);
}

std::string rate_limit_text(const plan::Plan& plan, const RateLimit::Wait& wait) {
  return fmt::format(
      "{} was restarted for new values {} times within {}; what comes meanwhile is "
      "collected, `arizuko-init reload` takes it now",
      plan.services[wait.service].name, wait.restarts, duration_text(rotation_window));
}

std::string waits_text(env::Generation generation, Nanoseconds time, const std::string& cause) {
  return fmt::format("generation {} waits {}: {}", generation, duration_text(time), cause);
}

std::string lacking_text(const plan::Plan& plan, const std::vector<Lack>& lacks) {
  std::string text;
  for (const Lack& lack : lacks) {
    text += fmt::format("{}{} needs {}", text.empty() ? "" : "; ", plan.services[lack.service].name,
                        fmt::join(lack.keys, ", "));
  }
  return text;
}

std::string all_held_text(const HeldValues& held) {
  std::string names;
  for (const auto& [key, value] : held)
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", key, value.reason);
  return "all that it changes is held back: " + names;
}

std::string applied_text(const RotationView& rotation, const std::vector<std::string>& moved, Instant now) {
  if (moved.empty()) return "no running service had to be restarted";
  const Instant all_ready = rotation.all_ready.value_or(now);
  std::string text = fmt::format("ready again with it after {}: {}",
                                 duration_text(all_ready - rotation.began), fmt::join(moved, ", "));
  if (rotation.all_ready && now - all_ready < observed_for) {
    text += fmt::format("; a newer one came after {} of the {} that it is watched",
                        duration_text(now - all_ready), duration_text(observed_for));
  }
  return text;
}

std::string going_back_text(env::Generation failed, env::Generation back_to, const std::string& cause) {
  return fmt::format("generation {} is rolled back to generation {}: {}", failed, back_to, cause);
}

std::string under_way_text(env::Generation generation) {
  return fmt::format("the rotation of generation {} is under way", generation);
}

std::string concluded_text(const RotationView& rotation) {
  const Outcome outcome = rotation.outcome.value_or(Outcome::interrupted);
  return fmt::format("generation {} is {}{}: {}", rotation.generation, to_text(outcome),
                     outcome == Outcome::refused ? ", the old values stay" : "", rotation.cause);
}

std::string interrupted_text(env::Generation generation, const std::string& cause) {
  return fmt::format("generation {} is interrupted before its turn: {}", generation, cause);
}

// ---------------------------------------------------------------------------------------------
// A value that is held back

std::string change_text(const HeldValue& value, const std::string& key, const env::Snapshot& in_force) {
  if (!value.wanted && value.why != HeldWhy::unusable) return "removed";
  return in_force.find(key) != nullptr ? "changed" : "added";
}

std::string remedy_text(const std::string& key, HeldWhy why, const FailedValues::Entry* entry, Instant now) {
  switch (why) {
    case HeldWhy::guarded: return fmt::format("Accept it with `arizuko-init secrets accept {}`", key);
    case HeldWhy::weaker:
      return fmt::format("Put it back, or accept the other one with `arizuko-init secrets accept {}`", key);
    case HeldWhy::emptied:
      return fmt::format(
          "If that is meant, say `arizuko-init secrets accept {}`, or `arizuko-init reload` for all", key);
    case HeldWhy::failed:
      if (entry == nullptr) return "It is being tried again";
      if (entry->retry_at)
        return fmt::format("It is tried once more in {}", duration_text(*entry->retry_at - now));
      return fmt::format("It is offered again when it changes, or by `arizuko-init secrets retry {}`", key);
    case HeldWhy::needed: return "Set it, or stop what needs it and say `arizuko-init reload`";
    case HeldWhy::unusable: return "Mend it in its source";
  }
  return "";
}

std::string held_text(const std::string& key, const HeldValue& value, const env::Snapshot& in_force,
                      const std::string& remedy) {
  const bool set = in_force.find(key) != nullptr;
  return fmt::format("{} was {} and is held back, {}: {}. {}", key, change_text(value, key, in_force),
                     set ? "the old value stays" : "it stays unset", value.reason, remedy);
}

std::string weaker_text(const std::string& source, const std::string& weaker) {
  return fmt::format("it is gone from {}, and {} has another one", source, weaker);
}

std::string emptied_text(const std::string& source) { return fmt::format("nothing is left in {}", source); }

std::string needed_text(const std::string& service) { return fmt::format("{} runs, and needs it", service); }

std::string not_borne_text(const std::string& service, const std::string& failure) {
  return fmt::format("{} did not bear it: {}", service, failure);
}

std::string retried_text(const std::vector<std::string>& keys) {
  return fmt::format("{} {} tried once more", fmt::join(keys, ", "), keys.size() == 1 ? "is" : "are");
}

std::string retried_text(const std::vector<std::string>& keys, const std::string& by) {
  return fmt::format("{} {} tried again: the {} asked for it", fmt::join(keys, ", "),
                     keys.size() == 1 ? "is" : "are", by);
}

std::string nothing_to_retry_text(const std::optional<std::string>& key, const std::string& by) {
  return fmt::format("{} to be tried again by the {}, but nothing of it failed",
                     key ? *key + " was" : "all was", by);
}

std::string accepted_text(const std::string& key, const std::string& by) {
  return fmt::format("{} is accepted by the {}", key, by);
}

std::string not_held_text(const std::string& key, const std::string& by) {
  return fmt::format("{} was to be accepted by the {}, but is not held back", key, by);
}

std::string why_missing(const plan::Service& service, const std::vector<std::string>& keys,
                        const env::Snapshot& in_force) {
  std::string text;
  std::vector<std::string> needed;
  for (const std::string& key : keys) {
    needed.push_back(env::as_needed(service, key));
    const auto unusable = in_force.unusable.find(key);
    if (unusable == in_force.unusable.end()) continue;
    text += fmt::format("{}{}, which cannot be used: {}", text.empty() ? "" : "; ", needed.back(),
                        unusable->second);
  }
  return text.empty() ? fmt::format("{}, which is not set", fmt::join(needed, ", ")) : text;
}

// ---------------------------------------------------------------------------------------------
// Guarded keys

std::string unlike_last_run_text(const std::string& key) {
  return fmt::format(
      "{} is not what it was in the last run, and is held back: {}. What sees it does not start. Put the old "
      "value back, or accept the new one with `arizuko-init secrets accept {}`",
      key, lost_with_another, key);
}

std::string unlike_last_run_remedy(const std::string& key) {
  return fmt::format("Put the old value back, or accept the new one with `arizuko-init secrets accept {}`",
                     key);
}

std::string plan_changes_guarded_text(const std::string& key) {
  return fmt::format(
      "services would see another {}, which is guarded: {}. End the run and start it with the new plan: "
      "then `arizuko-init secrets accept {}` is asked for",
      key, lost_with_another, key);
}

}  // namespace arizuko::engine
