// One sentence that follows the whole chain of causes.
#pragma once

#include <string>
#include <vector>

#include "arizuko/engine/view.hpp"

namespace arizuko::engine {

/// "teled waits for gated, which starts again in 2.1 s, because it exited with code 1 (3rd failure
/// of 10 within 10m)." At most eight links; `now` for durations.
std::string why(const View& view, ServiceId service, Instant now);

/// The same for the pod: what keeps it from being ready, or that nothing does.
std::string why_pod(const View& view, Instant now);

/// The clause in that sentence; empty: nothing keeps it.
std::string what_keeps_it(const View& view, Instant now);

/// Neither ready, nor done, nor off.
bool is_unwell(const ServiceView& service);

/// Nothing more happens by itself before everything in `ready_when` is ready: what is not waits, near or far,
/// for an operator (a value to be set, a guarded key to be accepted). To kill such a pod helps nobody.
bool waits_for_operator(const View& view, const std::vector<ServiceId>& ready_when);

/// "850 ms", "2.1 s", "3 min 4 s", "2 h 5 min", "3 d 4 h": for people.
std::string duration_text(Nanoseconds duration);

}  // namespace arizuko::engine
