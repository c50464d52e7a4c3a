// What a command of arizuko-init is: its name, its help, its options and what it does. One file of commands/
// each.
//
// To add a command: a file there and a line in commands/all.cpp. The parser, --help, the man page and the
// completion of shells are made of what stands here. No command knows the parser: command_line.cpp ties both
// together.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "arizuko/base/exit_codes.hpp"
#include "arizuko/cli/command_line.hpp"

namespace arizuko::cli {

enum class Output { text, json };

/// A number of seconds, with its bounds.
struct Seconds {
  std::optional<double>* to;
  double least;
  double most;
};
/// A whole number without a sign, at most `most`.
struct Whole {
  std::optional<std::uint64_t>* to;
  std::uint64_t most;
};
/// Where the parser puts what was typed. A bool is a flag; a vector takes any number.
using Target = std::variant<bool*, std::string*, std::vector<std::string>*, Seconds, Whole>;

struct Option {
  std::string_view names;  // "--follow,-f"; without dashes a word by its place: "SERVICE"
  Target to;
  std::string_view help;
  std::string_view value = "";  // what --help calls the option's value: "FILE"; empty: it takes none
  std::vector<std::string> choices = {};  // all that may be typed; empty: anything
  enum class Need { optional, required } need = Need::optional;
};

struct ExitCode {
  int code;
  std::string_view meaning;  // may be empty
};

struct About {
  std::string_view name;
  std::string_view summary;   // a sentence without its full stop
  std::string_view examples;  // a line each, indented
  std::vector<ExitCode> exit_codes;
  std::string_view notes = "";  // between examples and codes
};

class Command {
 public:
  Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  virtual ~Command() = default;

  virtual About about() const = 0;
  /// Where to put the words: into members, which live as long as the command.
  virtual std::vector<Option> options() { return {}; }
  /// After the options were set. Returns the exit code.
  virtual int run(const Console& console) = 0;
};

using Commands = std::vector<std::unique_ptr<Command>>;
/// Every command, in the order of --help.
Commands all_commands();

/// Says what is wrong with the words; returns 64. `command` is empty when there was none.
int usage_error(const Console& console, std::string_view command, std::string_view sentence);

/// The sentence that ends --help: "Exit codes: 0 yes, 1 no.", wrapped.
std::string codes_text(const std::vector<ExitCode>& codes);

}  // namespace arizuko::cli
