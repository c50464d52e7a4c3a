#include "earlier_runs.hpp"

#include <algorithm>

#include "host/conditions/file_identity.hpp"

namespace arizuko::host {

bool has_data_of_earlier_runs(const plan::Plan& plan, const TaskMarks& marks) {
  return std::ranges::any_of(plan.services, [&](const plan::Service& each) {
    return each.creates && file_identity(*each.creates) && !marks.was_cut_short(each.name);
  });
}

}  // namespace arizuko::host
