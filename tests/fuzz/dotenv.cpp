// Whatever stands in a .env: what comes out can be given to execve, and a problem never shows a value.
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string_view>

#include "arizuko/env/dotenv.hpp"
#include "arizuko/env/name.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const arizuko::env::Dotenv dotenv = arizuko::env::parse_dotenv(text);

  std::uint32_t lines = 1;
  for (const char c : text) lines += c == '\n' ? 1U : 0U;
  std::uint32_t last = 0;
  require(dotenv.entries.size() <= arizuko::env::max_dotenv_entries);
  for (const auto& entry : dotenv.entries) {
    require(arizuko::env::is_valid_name(entry.name));
    require(arizuko::env::is_valid_value(entry.value));
    require(entry.value.size() <= size);
    require(entry.line >= 1 && entry.line <= lines && entry.line >= last);
    last = entry.line;
  }
  for (const auto& problem : dotenv.problems) {
    require(problem.line <= lines);
    require(!problem.what.empty());
    require(problem.name.find_first_of("=:\r\n \"'$") == std::string::npos);
  }
  return 0;
}
