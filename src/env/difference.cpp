#include "arizuko/env/difference.hpp"

#include <string_view>

#include <fmt/format.h>

namespace arizuko::env {
namespace {

constexpr std::size_t max_names_shown = 10;

void append_kind(std::string& text, const std::vector<std::string>& names, std::string_view verb) {
  if (names.empty()) return;
  if (!text.empty()) text += ", ";
  text += fmt::format("{} {} (", names.size(), verb);
  for (std::size_t i = 0; i < names.size() && i < max_names_shown; ++i) {
    if (i > 0) text += ", ";
    text += names[i];
  }
  if (names.size() > max_names_shown) text += fmt::format(" and {} more", names.size() - max_names_shown);
  text += ')';
}

}  // namespace

// Only the text of a value counts: a child cannot see where it came from.
Difference difference(const Snapshot& before, const Snapshot& after) {
  Difference result;
  auto old = before.values.begin();
  auto now = after.values.begin();
  while (old != before.values.end() || now != after.values.end()) {
    if (now == after.values.end() || (old != before.values.end() && old->first < now->first)) {
      result.removed.push_back(old->first);
      ++old;
    } else if (old == before.values.end() || now->first < old->first) {
      result.added.push_back(now->first);
      ++now;
    } else {
      if (old->second.text != now->second.text) result.changed.push_back(now->first);
      ++old;
      ++now;
    }
  }
  return result;
}

std::string to_text(const Difference& difference) {
  std::string text;
  append_kind(text, difference.added, "added");
  append_kind(text, difference.changed, "changed");
  append_kind(text, difference.removed, "removed");
  return text.empty() ? "nothing changed" : text;
}

}  // namespace arizuko::env
