// Reads the text of a .env file the way the daemons' own reader does (godotenv: contract.md
// section 1), so that both see the same values.
//
// KEY=value, `export KEY=value`, KEY: value; # comments, also behind an unquoted value after a
// space; 'literal', "with \n \" \\ escapes", both over several lines; CRLF; a UTF-8 byte order mark.
// `$NAME` is not expanded: the value is taken as written (a difference from godotenv, on purpose: a
// token may hold a '$'; such a line is reported).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace arizuko::env {

inline constexpr std::size_t max_dotenv_bytes = 1024 * 1024;
inline constexpr std::size_t max_dotenv_entries = 4096;

struct DotenvEntry {
  std::string name;
  std::string value;
  std::uint32_t line = 0;
};

/// What is wrong in one line. Holds the key, never the value nor the line's text.
struct DotenvProblem {
  std::uint32_t line = 0;
  std::string name;  // empty when the line has no readable name
  std::string what;
  bool fatal = true;            // false: reported, the value is taken all the same
  bool only_the_value = false;  // fatal for the value of `name`, which is left out; everything else is well
};

struct Dotenv {
  std::vector<DotenvEntry> entries;  // in file order; a later one of the same name wins
  std::vector<DotenvProblem> problems;
};

Dotenv parse_dotenv(std::string_view text);

}  // namespace arizuko::env
