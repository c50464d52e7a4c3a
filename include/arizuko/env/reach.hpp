// By which ways values reach one service, and which source gives each now. Names and sources, never a value.
#pragma once

#include <string>
#include <vector>

#include "arizuko/env/snapshot.hpp"
#include "arizuko/plan/plan.hpp"

namespace arizuko::env {

enum class Way {
  common,        // every child gets it
  take,          // if it is set
  need,          // or the service is blocked
  in_env,        // a reference in its `env`
  enabled_when,  // it decides whether the service is on, and is not handed to it
};

/// "common", "take", "need", "env", "enabled_when": as the plan's keys.
std::string_view to_text(Way way);

struct Reach {
  std::string name;  // in the child; empty with Way::enabled_when
  std::string key;   // of the snapshot
  Way way = Way::take;
  bool has_default = false;  // the plan says what it is where no source has it
  bool operator==(const Reach&) const = default;
};

/// In the order of the plan. What `env` sets is not said to come by `take`, `need` or `common` too.
std::vector<Reach> reaches(const plan::Plan& plan, const plan::Service& service);

/// "dir:/etc/arizuko/secrets"; "default of the plan"; "nowhere, until run generates it"; "nowhere"; "nowhere:
/// <why its value is not usable>".
std::string source_text(const plan::Plan& plan, const Reach& reach, const Snapshot& snapshot);

}  // namespace arizuko::env
