// An agent's pod as the API server shows it, in the words of `docker run`: has it started, has it ended, with
// which code, and what keeps it from starting. Pure.
#pragma once

#include <optional>
#include <string>

#include "json.hpp"
#include "settings.hpp"

namespace arizuko::agents {

struct Ended {
  int code = 0;
  std::string reason;   // Kubernetes' word: Completed, Error, OOMKilled, Evicted ...
  std::string message;  // the last of the log, or what the kubelet says
};

/// What holds a pod back before its agent runs.
enum class Hold {
  none,
  unschedulable,  // the scheduler found no place on the node
  unscheduled,    // it has not looked yet
  pulling,        // the kubelet prepares the volume, the image, the container
  pull_fails,     // and will try again
  never_pulls,    // and will not
  cannot_start,   // a missing Secret, a wrong mount: may still heal
};

struct PodLook {
  std::string pod;
  bool running = false;
  std::optional<Ended> ended;
  Hold hold = Hold::none;
  std::string reason;   // of the hold
  std::string message;  // of the hold
  bool node_lost = false;
};

PodLook look_at(const json::value& pod);

/// How long a pod that has not started has been held, and since when it is on its node.
struct Held {
  Seconds since_created{0};
  Seconds since_scheduled{0};
  Seconds in_this_hold{0};
};

/// The reason to wait no longer; nullopt: wait. Every hold has a bound.
std::optional<Failure> give_up(const PodLook& look, const Held& held, const AgentPolicy& policy,
                               std::string_view image, std::string_view node);

/// The sentence for stderr about an end that the agent did not choose; "" when there is nothing to say.
std::string explain(const Ended& ended);

}  // namespace arizuko::agents
