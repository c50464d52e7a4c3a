#include "repeated_lines.hpp"

#include <algorithm>
#include <utility>

namespace arizuko::host {

std::optional<std::uint64_t> RepeatedLines::say(const std::string& text, engine::Instant now) {
  auto found = std::ranges::find(said_, text, &Said::text);
  if (found == said_.end()) {
    if (said_.size() == most_texts) said_.erase(std::ranges::min_element(said_, {}, &Said::since));
    said_.push_back({text, now, 1, 0});
    return 0;
  }
  if (now - found->since >= window) {
    found->since = now;
    found->times = 0;
  }
  if (++found->times > most_a_window) {
    ++found->left_out;
    return std::nullopt;
  }
  return std::exchange(found->left_out, 0);
}

}  // namespace arizuko::host
