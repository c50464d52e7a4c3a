#include "log_fill.hpp"

namespace arizuko::agents {
namespace {

std::uint64_t hash(std::string_view line) { return std::hash<std::string_view>{}(line); }

}  // namespace

void LogFill::remember(std::string_view line) {
  if (lines_ < most_lines) ++counts_[hash(line)];
  ++lines_;
}

void LogFill::seen(Channel channel, std::string_view bytes) {
  if (lines_ > most_lines) return;
  auto& part = parts_[channel == Channel::standard_output ? 0 : 1];
  part.feed(bytes, [this](std::string_view line) { remember(line); });
}

void LogFill::end_of_output() {
  for (const LineBuffer& part : parts_) {
    if (!part.rest().empty()) remember(part.rest());
  }
}

bool LogFill::is_missing(std::string_view line) {
  const auto found = counts_.find(hash(line));
  if (found != counts_.end() && found->second > 0) {
    --found->second;
    matched_ = true;
    return false;
  }
  // Beyond what is remembered nothing is known: only what came before the first line of attach is missing.
  return lines_ <= most_lines || !matched_;
}

}  // namespace arizuko::agents
