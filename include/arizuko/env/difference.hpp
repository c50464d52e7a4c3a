// What changed between two snapshots: names only, never values.
#pragma once

#include <string>
#include <vector>

#include "arizuko/env/snapshot.hpp"

namespace arizuko::env {

struct Difference {
  std::vector<std::string> added;
  std::vector<std::string> changed;
  std::vector<std::string> removed;
  std::size_t size() const { return added.size() + changed.size() + removed.size(); }
  bool empty() const { return added.empty() && changed.empty() && removed.empty(); }
};

Difference difference(const Snapshot& before, const Snapshot& after);

/// "2 added (A, B), 1 changed (C)"; at most ten names a kind, then "and 3 more".
std::string to_text(const Difference& difference);

}  // namespace arizuko::env
