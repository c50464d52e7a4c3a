// Scripts that complete what one types, for bash, zsh and fish. Pure: made of the table that --help is made
// of, so that no script lacks an option. Names of services come from `arizuko-init status`, while one types.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace arizuko::cli {

struct OptionWords {
  std::string long_name;   // without dashes
  std::string short_name;  // the same; may be empty
  std::string help;
  std::string value;  // "FILE"; empty: it takes none
};

struct CommandWords {
  std::string name;
  std::string help;
  std::vector<OptionWords> options;
  std::string positional;  // the first: "SERVICE", "SHELL", "ACTION" or empty
};

/// `shell` is bash, zsh or fish.
std::string completion_script(std::string_view shell, const std::vector<CommandWords>& commands);

}  // namespace arizuko::cli
