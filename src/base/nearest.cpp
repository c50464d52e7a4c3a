#include "arizuko/base/nearest.hpp"

#include <algorithm>
#include <vector>

namespace arizuko::base {

std::size_t slips_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    before_last.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates) {
  constexpr std::size_t longest_word = 128;
  constexpr std::size_t most_candidates = 512;
  std::optional<std::string_view> best;
  std::size_t fewest = 3;
  if (word.size() > longest_word || candidates.size() > most_candidates) return best;
  for (const std::string_view candidate : candidates) {
    const auto [shorter, longer] = std::minmax({candidate.size(), word.size()});  // values, not references
    if (longer - shorter >= fewest) continue;
    const std::size_t slips = slips_between(word, candidate);
    if (slips < fewest && slips * 2 < longer) {
      best = candidate;
      fewest = slips;
    }
  }
  return best;
}

}  // namespace arizuko::base
