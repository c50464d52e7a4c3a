#include "completion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace arizuko::cli {

namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// In single quotes; `also` are put behind a backslash, for zsh's own syntax.
std::string quoted(std::string_view text, std::string_view also = "") {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += "'\\'";
    if (also.find(c) != also.npos) out += '\\';
    out += c;
  }
  return out + "'";
}

/// fish takes \' in single quotes.
std::string quoted_for_fish(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

struct OptionWords {
  std::string long_name;   // without dashes
  std::string short_name;  // the same; may be empty
  std::string help;
  std::string value;    // "FILE"; empty: it takes none
  std::string choices;  // what the value can be, with blanks between; empty: any
  enum class Times { once, any } times = Times::once;
};

struct CommandWords {
  std::string name;
  std::string help;
  std::vector<OptionWords> options;
  std::string positional;          // the first: "SERVICE", "SHELL" or empty
  std::string positional_choices;  // what it can be
};

OptionWords words_of(const Option& option) {
  OptionWords words{.long_name = {},
                    .short_name = {},
                    .help = first_line(std::string(option.help)),
                    .value = std::string(option.value),
                    .choices = fmt::format("{}", fmt::join(option.choices, " "))};
  if (std::holds_alternative<std::vector<std::string>*>(option.to)) words.times = OptionWords::Times::any;
  const std::size_t comma = option.names.find(',');
  words.long_name = option.names.substr(2, comma == option.names.npos ? comma : comma - 2);
  if (comma != option.names.npos) words.short_name = option.names.substr(comma + 2);
  return words;
}

CommandWords words_of(Command& command) {
  const About about = command.about();
  CommandWords words{.name = std::string(about.name),
                     .help = std::string(about.summary),
                     .options = {{"help", "h", "Print this help message and exit", "", ""}},
                     .positional = {},
                     .positional_choices = {}};
  for (const Option& option : command.options()) {
    if (option.names.starts_with('-')) {
      words.options.push_back(words_of(option));
    } else if (words.positional.empty()) {
      words.positional = option.names;
      words.positional_choices = fmt::format("{}", fmt::join(option.choices, " "));
    }
  }
  return words;
}

bool is_service(const OptionWords& option) { return option.value == "SERVICE"; }
bool is_path(const OptionWords& option) { return option.value == "FILE" || option.value == "PATH"; }

// The table of `status` begins behind its titles; the first column is the name.
constexpr std::string_view posix_services = R"sh(  local name state _ listed=
  "$1" status 2>/dev/null | while read -r name state _; do
    if [ "$name $state" = "NAME STATE" ]; then listed=yes
    elif [ -n "$listed" ] && [ -n "$name" ]; then echo "$name"; fi
  done
)sh";

// ---------------------------------------------------------------------------------------------

std::string bash_case(const CommandWords& command) {
  std::string words;
  for (const OptionWords& option : command.options) words += fmt::format(" --{}", option.long_name);
  std::string more;
  if (command.positional == "SERVICE") more = R"sh( services="$(_arizuko_init_services "$1")")sh";
  if (!command.positional_choices.empty()) words += fmt::format(" {}", command.positional_choices);
  return fmt::format("    {}) words={}{} ;;\n", command.name, quoted(words.empty() ? "" : words.substr(1)),
                     more);
}

std::string bash_values(const std::vector<CommandWords>& commands) {
  std::string paths;
  std::string others;
  std::string lines;
  for (const CommandWords& command : commands) {
    for (const OptionWords& option : command.options) {
      if (option.value.empty()) continue;
      const std::string name = "--" + option.long_name;
      std::string& list = is_path(option) ? paths : others;
      const std::string known = paths + '|' + others + '|' + lines;
      if (known.find(name + '|') != known.npos || known.find(name + ')') != known.npos) continue;
      if (is_service(option)) {
        lines += fmt::format(
            "    {}) COMPREPLY=($(compgen -W \"$(_arizuko_init_services \"$1\")\" -- \"$current\")); return "
            ";;\n",
            name);
      } else if (!option.choices.empty()) {
        lines += fmt::format("    {}) COMPREPLY=($(compgen -W {} -- \"$current\")); return ;;\n", name,
                             quoted(option.choices));
      } else {
        list += (list.empty() ? "" : "|") + name;
      }
    }
  }
  return fmt::format("{}    {}) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n    {}) return ;;\n",
                     lines, paths, others);
}

std::string bash_script(const std::vector<CommandWords>& commands) {
  std::string names;
  std::string cases;
  for (const CommandWords& command : commands) {
    names += (names.empty() ? "" : " ") + command.name;
    cases += bash_case(command);
  }
  return fmt::format(R"sh(# Completion of arizuko-init for bash: `arizuko-init completion bash` prints it.
_arizuko_init_services() {{
{}}}

_arizuko_init() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words= services=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W {} -- "$current"))
    return
  fi
  case $before in
{}  esac
  case ${{COMP_WORDS[1]}} in
{}  esac
  case $current in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "${{services:-$words}}" -- "$current")) ;;
  esac
}}

complete -o filenames -F _arizuko_init arizuko-init
)sh",
                     posix_services, quoted(names), bash_values(commands), cases);
}

// ---------------------------------------------------------------------------------------------

std::string zsh_option(const OptionWords& option) {
  const std::string repeated = option.times == OptionWords::Times::any ? "*" : "";
  const std::string help = option.help;
  std::string value;
  if (!option.value.empty()) {
    value = is_path(option)          ? fmt::format(":{}:_files", option.value)
            : is_service(option)     ? fmt::format(":{}:_arizuko-init_services", option.value)
            : option.choices.empty() ? fmt::format(":{}: ", option.value)
                                     : fmt::format(":{}:({})", option.value, option.choices);
  }
  std::string description;
  for (const char c : help)
    description += (c == '[' || c == ']' || c == ':' ? std::string("\\") : std::string()) + c;
  return fmt::format(" \\\n        {}",
                     quoted(fmt::format("{}--{}[{}]{}", repeated, option.long_name, description, value)));
}

std::string zsh_case(const CommandWords& command) {
  std::string arguments;
  for (const OptionWords& option : command.options) arguments += zsh_option(option);
  if (command.positional == "SERVICE") arguments += " \\\n        '*:service:_arizuko-init_services'";
  if (!command.positional_choices.empty())
    arguments += fmt::format(" \\\n        ':word:({})'", command.positional_choices);
  return fmt::format("    {})\n      _arguments{} ;;\n", command.name, arguments);
}

std::string zsh_script(const std::vector<CommandWords>& commands) {
  std::string names;
  std::string cases;
  for (const CommandWords& command : commands) {
    names += fmt::format("    {}\n", quoted(fmt::format("{}:{}", command.name, command.help)));
    cases += zsh_case(command);
  }
  return fmt::format(R"sh(#compdef arizuko-init
# Completion of arizuko-init for zsh: `arizuko-init completion zsh` prints it.
_arizuko-init_list() {{
{}}}

_arizuko-init_services() {{
  local -a names
  names=(${{(f)"$(_arizuko-init_list arizuko-init)"}})
  compadd -a names
}}

_arizuko-init() {{
  local -a commands
  commands=(
{}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{}  esac
}}

if [ "$funcstack[1]" = _arizuko-init ]; then _arizuko-init "$@"; else compdef _arizuko-init arizuko-init; fi
)sh",
                     posix_services, names, cases);
}

// ---------------------------------------------------------------------------------------------

std::string fish_option(const CommandWords& command, const OptionWords& option) {
  std::string line = fmt::format("complete -c arizuko-init -n '__fish_seen_subcommand_from {}' -l {}",
                                 command.name, option.long_name);
  if (!option.short_name.empty()) line += fmt::format(" -s {}", option.short_name);
  if (!option.value.empty()) line += is_path(option) ? " -r -F" : " -x";
  if (!option.choices.empty()) line += fmt::format(" -a '{}'", option.choices);
  if (is_service(option)) line += " -a '(__arizuko_init_services)'";
  return line + fmt::format(" -d {}\n", quoted_for_fish(option.help));
}

std::string fish_script(const std::vector<CommandWords>& commands) {
  std::string lines;
  for (const CommandWords& command : commands) {
    lines += fmt::format("complete -c arizuko-init -n __fish_use_subcommand -a {} -d {}\n", command.name,
                         quoted_for_fish(command.help));
    for (const OptionWords& option : command.options) lines += fish_option(command, option);
    const std::string seen =
        fmt::format("complete -c arizuko-init -n '__fish_seen_subcommand_from {}' -a ", command.name);
    if (command.positional == "SERVICE") lines += seen + "'(__arizuko_init_services)'\n";
    if (!command.positional_choices.empty())
      lines += seen + fmt::format("'{}'\n", command.positional_choices);
  }
  return fmt::format(R"sh(# Completion of arizuko-init for fish: `arizuko-init completion fish` prints it.
function __arizuko_init_services
  set -l listed
  arizuko-init status 2>/dev/null | while read -l name state rest
    if test "$name $state" = "NAME STATE"
      set listed yes
    else if test -n "$listed" -a -n "$name"
      echo $name
    end
  end
end
complete -c arizuko-init -f
{})sh",
                     lines);
}

}  // namespace

std::string completion_script(std::string_view shell, const Commands& commands) {
  std::vector<CommandWords> table;
  for (const std::unique_ptr<Command>& command : commands) table.push_back(words_of(*command));
  if (shell == "bash") return bash_script(table);
  return shell == "zsh" ? zsh_script(table) : fish_script(table);
}

}  // namespace arizuko::cli
