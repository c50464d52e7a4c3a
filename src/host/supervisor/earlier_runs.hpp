// Whether an instance has run before, by what it left.
#pragma once

#include "arizuko/plan/plan.hpp"
#include "host/state/task_marks.hpp"

namespace arizuko::host {

/// A task of the plan has made what it creates, before this start.
bool has_data_of_earlier_runs(const plan::Plan& plan, const TaskMarks& marks);

}  // namespace arizuko::host
