// What people are told of values: the sentences of history and of the view, made of facts. No rule reads one,
// and none holds a value.
#pragma once

#include <string>
#include <vector>

#include "arizuko/engine/rotation.hpp"
#include "failed_values.hpp"
#include "held_values.hpp"
#include "rate_limit.hpp"

namespace arizuko::engine {

/// Of a guarded key: why another value is held back.
inline constexpr const char* lost_with_another =
    "what was stored under the old value could not be read any more, and may be deleted";

inline constexpr const char* lost_with_the_first =
    "there was none, and what was stored without one may be deleted at the next start";

// --- A generation
std::string taken_first_text(const env::Snapshot& snapshot);
std::string taken_text(env::Generation generation, const env::Difference& keys);
std::string superseded_text(env::Generation older, env::Generation newer);
std::string rate_limit_text(const plan::Plan& plan, const RateLimit::Wait& wait);
std::string waits_text(env::Generation generation, Nanoseconds time, const std::string& cause);
std::string lacking_text(const plan::Plan& plan, const std::vector<Lack>& lacks);
std::string all_held_text(const HeldValues& held);
/// Why it is applied: who is ready again, and for how long.
std::string applied_text(const RotationView& rotation, const std::vector<std::string>& moved, Instant now);
std::string going_back_text(env::Generation failed, env::Generation back_to, const std::string& cause);
std::string under_way_text(env::Generation generation);
std::string concluded_text(const RotationView& rotation);
std::string interrupted_text(env::Generation generation, const std::string& cause);

// --- A value that is held back
/// "changed", "added", "removed"
std::string change_text(const HeldValue& value, const std::string& key, const env::Snapshot& in_force);
/// What follows, or what to do. `entry`: that holds a failed one; nullptr: none does any more.
std::string remedy_text(const std::string& key, HeldWhy why, const FailedValues::Entry* entry, Instant now);
std::string held_text(const std::string& key, const HeldValue& value, const env::Snapshot& in_force,
                      const std::string& remedy);
std::string weaker_text(const std::string& source, const std::string& weaker);
std::string emptied_text(const std::string& source);
std::string needed_text(const std::string& service);
std::string not_borne_text(const std::string& service, const std::string& failure);
std::string retried_text(const std::vector<std::string>& keys);
std::string retried_text(const std::vector<std::string>& keys, const std::string& by);
std::string nothing_to_retry_text(const std::optional<std::string>& key, const std::string& by);
std::string accepted_text(const std::string& key, const std::string& by);
std::string not_held_text(const std::string& key, const std::string& by);
/// What a service lacks: "A, which is not set", "A, which cannot be used: its value holds a NUL byte"
std::string why_missing(const plan::Service& service, const std::vector<std::string>& keys,
                        const env::Snapshot& in_force);

// --- Guarded keys
std::string unlike_last_run_text(const std::string& key);
inline constexpr const char* unlike_last_run_reason = "it is not what it was in the last run";
std::string unlike_last_run_remedy(const std::string& key);
std::string plan_changes_guarded_text(const std::string& key);

}  // namespace arizuko::engine
