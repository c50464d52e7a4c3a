#include "plan_words.hpp"

#include <iterator>

#include <fmt/format.h>

namespace arizuko::cli {

std::vector<Option> PlanWords::with(std::vector<Option> more) {
  std::vector<Option> all = {
      {"--plan", &plan_, "The plan to use", "FILE"},
      {"--set", &set_, "Override a key of the plan by its path: pod.data_dir=/tmp/demo; may be repeated",
       "KEY=VALUE"},
      {"--rehearse", &rehearse_, "Stand-ins for every daemon, made-up values where none are set"}};
  std::ranges::move(more, std::back_inserter(all));
  return all;
}

std::expected<PlanOptions, std::string> PlanWords::read() const {
  PlanOptions options{
      .plan = plan_, .overrides = {}, .mode = rehearse_ ? Mode::rehearsal : Mode::real, .elsewhere = {}};
  for (const std::string& text : set_) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return std::unexpected(fmt::format("--set takes KEY=VALUE, not \"{}\"", text));
    options.overrides.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  return options;
}

}  // namespace arizuko::cli
