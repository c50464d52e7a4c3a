// The pod as a whole, as the engine knows it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "arizuko/engine/run_id.hpp"
#include "arizuko/engine/state.hpp"
#include "arizuko/engine/time.hpp"

namespace arizuko::engine {

struct Pod {
  PodState state = PodState::booting;
  Instant started{};
  Instant since{};  // of `state`
  std::string cause = "arizuko-init was started";
  std::string start_waits_for;  // before the first values; empty: nothing
  bool seeded = false;          // every task is done
  bool opened = false;          // everything in ready_when was ready once
  bool ready = false;           // and is, and the pod does not stop

  // The end.
  std::uint32_t stop_requests = 0;
  std::optional<Instant> kill_at;        // everything gets SIGKILL
  std::optional<Instant> stop_deadline;  // the grace is over
  ServiceId ended = 0;                   // nothing of the services below it is alive
  int exit_code = 0;
  std::string verdict;
  std::string culprit;

  bool stops() const { return state == PodState::stopping || state == PodState::ended; }
};

}  // namespace arizuko::engine
