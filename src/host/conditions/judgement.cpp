#include "judgement.hpp"

#include <algorithm>
#include <utility>

namespace arizuko::host {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds shortest_pause{3};
constexpr milliseconds longest_pause{1000};
constexpr int share_of_elapsed = 16;        // the pause grows with what was waited already
constexpr milliseconds detail_pause{1000};  // between two reports that only reword the reason

}  // namespace

Judgement::News Judgement::take(LookResult result, Time now) {
  if (result.verdict == Verdict::cannot_tell) {
    failed_looks_ = 0;  // not in a row
    ++unsure_looks_;
    result.detail = "cannot tell: " + result.detail;
    if (!counts_as_no()) {
      if (unsure_looks_ != failures_) return {};
      return {News::Kind::doubt, std::move(result.detail)};
    }
  } else {
    unsure_looks_ = 0;
  }
  if (result.verdict == Verdict::yes) {
    failed_looks_ = 0;
    if (reported_ && holds_) return {};
    holds_ = true;
  } else if (holds_) {
    if (++failed_looks_ < failures_) return {};
    holds_ = false;
    searching_since_ = now;
  } else if (reported_ && (result.detail == detail_ || now - detail_at_ < detail_pause)) {
    return {};
  }
  reported_ = true;
  detail_ = result.detail;
  detail_at_ = now;
  return {News::Kind::report, std::move(result.detail)};
}

milliseconds Judgement::pause(milliseconds every, Time now) const {
  const bool waits_for_nothing = unsure_looks_ > 0 && purpose_ == Purpose::liveness;
  if (holds_ || waits_for_nothing) return std::max(every, shortest_pause);
  const auto elapsed = std::chrono::duration_cast<milliseconds>(now - searching_since_);
  return std::clamp(elapsed / share_of_elapsed, shortest_pause, longest_pause);
}

}  // namespace arizuko::host
