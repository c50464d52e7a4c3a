// Joined values (`env.NAME = { join, of }`) whose parts would break the list.
//
// Pure.
#pragma once

#include "arizuko/env/snapshot.hpp"
#include "arizuko/plan/plan.hpp"

namespace arizuko::env {

/// A value that holds the separator of a list that a service is given it in would be read as two: it is
/// taken out of `snapshot`, and is unusable there, with a reason that never holds it.
void refuse_broken_lists(const plan::Plan& plan, Snapshot& snapshot);

}  // namespace arizuko::env
