// What one child sees of a snapshot: `common`, its `take`, its `env`, and nothing else (T19, T20).
//
// Pure: the same service and the same snapshot always give the same environment.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "arizuko/env/snapshot.hpp"
#include "arizuko/plan/plan.hpp"

namespace arizuko::env {

/// NAME -> value, complete; what execve(2) gets.
using Environment = std::map<std::string, std::string>;

/// Fills the holes of `text`. An unset or empty variable gives its fallback, or the empty string.
std::string expand(const plan::Template& text, const Snapshot& snapshot);
/// Likewise; of a joined value, an item is left out in which a variable without a fallback is unset or empty.
std::string expand(const plan::EnvValue& value, const Snapshot& snapshot);

/// The environment of `service`. PATH is `pod.path` unless the service sets or takes its own; of
/// `env`, an entry whose value expands to the empty string is left out, so that a daemon's default
/// holds (empty is unset for the daemons: contract.md section 1).
Environment compose(const plan::Plan& plan, const plan::Service& service, const Snapshot& snapshot);

/// True when each `enabled_when` of the service is met.
bool enabled(const plan::Service& service, const Snapshot& snapshot);
/// The first `enabled_when` that is not met, as a phrase: "TELEGRAM_BOT_TOKEN is not set", "none of A, B is
/// set".
std::string why_disabled(const plan::Service& service, const Snapshot& snapshot);

/// The needed keys that are unset or empty, in the plan's order.
std::vector<std::string> missing(const plan::Service& service, const Snapshot& snapshot);
/// Of these the ones that `run` does not generate either.
std::vector<std::string> missing_for_run(const plan::Plan& plan, const plan::Service& service,
                                         const Snapshot& snapshot);
/// A key that it needs, for people: "TELEGRAM_BOT_TOKEN_WORK (as TELEGRAM_BOT_TOKEN)" where it sees it under
/// another name.
std::string as_needed(const plan::Service& service, std::string_view key);

/// What the services of the plan see under this name: the snapshot's value, or another that one gets as it
/// (take = ["AUTH_SECRET = OTHER"]), or what `env` of one makes of others. Several that differ are one text.
/// nullopt: nothing.
std::optional<std::string> seen_as(const plan::Plan& plan, std::string_view name, const Snapshot& snapshot);
/// The keys of a snapshot that this is made of: the key itself, what a service takes as it, and what `env` of
/// one refers to.
std::vector<std::string> made_of(const plan::Plan& plan, std::string_view name);
/// A snapshot of what the services see under these names: what a guarded key is compared by.
Snapshot seen_values(const plan::Plan& plan, const std::vector<std::string>& names, const Snapshot& snapshot);

/// Every key of a snapshot that can reach this service: common, take, need, and references in env.
std::vector<std::string> scope(const plan::Plan& plan, const plan::Service& service);

}  // namespace arizuko::env
