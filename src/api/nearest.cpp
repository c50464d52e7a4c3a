#include "arizuko/api/nearest.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace arizuko::api {

namespace {

// Levenshtein with one row: both words are names, at most a few dozen bytes.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < right.size(); ++j) {
      const std::size_t above = row[j + 1];
      const std::size_t replace = diagonal + (left[i] == right[j] ? 0 : 1);
      row[j + 1] = std::min({above + 1, row[j] + 1, replace});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

std::string nearest(std::string_view wanted, const std::vector<std::string>& words) {
  constexpr std::size_t longest_name = 128;
  if (wanted.size() > longest_name) return {};
  const std::size_t allowed = std::max<std::size_t>(1, wanted.size() / 3);
  std::string best;
  std::size_t best_distance = allowed + 1;
  for (const std::string& word : words) {
    const std::size_t d = distance(wanted, word);
    if (d < best_distance) {
      best_distance = d;
      best = word;
    }
  }
  return best;
}

std::string no_such_service(std::string_view wanted, const std::vector<std::string>& names) {
  const std::string near = nearest(wanted, names);
  if (!near.empty()) {
    return fmt::format("there is no service \"{}\" here; did you mean \"{}\"?", wanted, near);
  }
  return fmt::format("there is no service \"{}\" here; there is: {}", wanted, fmt::join(names, ", "));
}

}  // namespace arizuko::api
