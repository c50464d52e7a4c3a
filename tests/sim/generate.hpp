// Random plans and values: small, but with every policy and every kind of link in them.
#pragma once

#include "arizuko/env/snapshot.hpp"
#include "arizuko/plan/plan.hpp"
#include "random.hpp"

namespace arizuko::sim {

/// One to twelve services and tasks; links only to earlier ones.
plan::Plan random_plan(Random& random);

/// A value that ends so makes whoever sees it fail, most of the time. None of `complete` values does.
inline constexpr std::string_view poison = "3";

/// The same plan after an operator's edit: a definition changed, one removed, one added.
plan::Plan edited(plan::Plan plan, Random& random);

/// Values for the keys that random plans use. `complete`: each key is set.
enum class Values { complete, any };
env::SnapshotPtr random_values(Random& random, env::Generation generation, Values which);

/// `before` with one or two keys set, changed or removed.
env::SnapshotPtr changed_values(const env::Snapshot& before, Random& random, env::Generation generation);

}  // namespace arizuko::sim
