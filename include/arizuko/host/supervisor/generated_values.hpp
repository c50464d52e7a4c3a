// The values that `run` made of env.generated, as the weakest source.
#pragma once

#include "arizuko/host/sources/environment_reader.hpp"
#include "arizuko/host/state/state_dir.hpp"
#include "arizuko/plan/plan.hpp"

namespace arizuko::host {

/// Gives each key of env.generated what is kept for it, where no other source has a value that is not empty.
/// A file that cannot be taken is that key's trouble: reported, and in Snapshot::unusable. Makes nothing.
void add_generated(const StateDir& state, const plan::EnvPolicy& env, ReadResult& result);

/// The keys of env.generated that have no value, and no trouble that is told already.
std::vector<plan::Generated> without_value(const plan::EnvPolicy& env, const env::Snapshot& snapshot);

}  // namespace arizuko::host
