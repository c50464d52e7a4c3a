#include "command.hpp"

#include <fmt/format.h>

namespace arizuko::cli {

int usage_error(const Console& console, std::string_view command, std::string_view sentence) {
  const std::string name = command.empty() ? "arizuko-init" : fmt::format("arizuko-init {}", command);
  console.err(
      fmt::format("{}: {}{} Try `{} --help`.\n", name, sentence, sentence.ends_with('?') ? "" : ".", name));
  return exit_code::usage;
}

std::string codes_text(const std::vector<ExitCode>& codes) {
  constexpr std::size_t width = 100;
  std::string text = "Exit codes:";
  std::size_t column = text.size();
  for (const ExitCode& each : codes) {
    const std::string part = fmt::format("{}{}{}{}", each.code, each.meaning.empty() ? "" : " ", each.meaning,
                                         &each == &codes.back() ? "." : ",");
    const bool fits = column + 1 + part.size() <= width;
    text += fits ? " " : "\n  ";
    column = (fits ? column + 1 : 2) + part.size();
    text += part;
  }
  return text + '\n';
}

}  // namespace arizuko::cli
