#include "run.hpp"

namespace arizuko::engine {

bool Watches::open(std::uint32_t watch) const {
  const ConditionView::Is is = watch < answers.size() ? answers[watch].is : ConditionView::Is::unknown;
  return is == ConditionView::Is::unknown || is == ConditionView::Is::fails;
}

bool Watches::hold(std::uint32_t first, std::uint32_t last) const {
  for (std::uint32_t watch = first; watch < last; ++watch) {
    if (open(watch)) return false;
  }
  return true;
}

}  // namespace arizuko::engine
