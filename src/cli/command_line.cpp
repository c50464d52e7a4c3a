// The one file that knows the parser (CLI11) and its exceptions.
#include "arizuko/cli/command_line.hpp"

#include <algorithm>
#include <charconv>
#include <expected>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "arizuko/base/nearest.hpp"
#include "command.hpp"

namespace arizuko::cli {

namespace {

constexpr const char* about =
    "arizuko-init: the entrypoint of an arizuko container. Seeds the instance, opens the gate\n"
    "when the router serves, starts and restarts the daemons, answers the probes.";

constexpr const char* footer =
    "Example:\n  arizuko-init run --rehearse\n  arizuko-init status\n\n"
    "`arizuko-init COMMAND --help` shows a command's options, an example and its exit codes.\n";

/// All of `text`: no sign but a minus, no blanks, neither nan nor inf.
template <class Number>
std::optional<Number> a_number(std::string_view text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

/// As much as a person would type: a message repeats no more.
std::string shown(std::string_view text) {
  constexpr std::size_t most = 40;
  return text.size() <= most ? std::string(text) : std::string(text.substr(0, most)) + "...";
}

CLI::Validator in_range(const Seconds& range) {
  return {[least = range.least, most = range.most](std::string& text) -> std::string {
            const std::optional<double> number = a_number<double>(text);
            if (number && *number >= least && *number <= most) return {};
            return fmt::format("{} is not a number of seconds from {:g} to {:g}", shown(text), least, most);
          },
          ""};
}

CLI::Validator in_range(const Whole& range) {
  return {[most = range.most](std::string& text) -> std::string {
            const std::optional<std::uint64_t> number = a_number<std::uint64_t>(text);
            if (number && *number <= most) return {};
            return fmt::format("{} is not a whole number from 0 to {}", shown(text), most);
          },
          ""};
}

/// Adds an option whose words go where its target says.
struct Binder {
  CLI::App& app;
  std::string names;
  std::string help;

  CLI::Option* operator()(bool* to) const { return app.add_flag(names, *to, help); }
  CLI::Option* operator()(std::string* to) const { return app.add_option(names, *to, help); }
  CLI::Option* operator()(std::vector<std::string>* to) const {
    CLI::Option* option = app.add_option(names, *to, help);
    if (names.starts_with('-')) option->allow_extra_args(false);
    return option;
  }
  CLI::Option* operator()(const Seconds& to) const {
    return app.add_option(names, *to.to, help)->check(in_range(to));
  }
  CLI::Option* operator()(const Whole& to) const {
    return app.add_option(names, *to.to, help)->check(in_range(to));
  }
};

void bind(CLI::App& app, const Option& option) {
  CLI::Option* bound =
      std::visit(Binder{app, std::string(option.names), std::string(option.help)}, option.to);
  if (!std::holds_alternative<bool*>(option.to)) bound->type_name(std::string(option.value));
  if (!option.choices.empty()) bound->check(CLI::IsMember(option.choices));
  if (option.need == Option::Need::required) bound->required();
}

void bind(CLI::App& app, Command& command) {
  const About about_it = command.about();
  CLI::App* bound = app.add_subcommand(std::string(about_it.name), std::string(about_it.summary));
  for (const Option& option : command.options()) bind(*bound, option);
  bound->footer(fmt::format("Example:\n{}\n{}{}{}", about_it.examples, about_it.notes,
                            about_it.notes.empty() ? "" : "\n", codes_text(about_it.exit_codes)));
  bound->allow_extras();  // reported by extra_text, with the nearest name
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::string unknown_text(std::string_view kind, std::string_view word,
                         const std::vector<std::string>& known) {
  const auto near = base::nearest(word, std::vector<std::string_view>(known.begin(), known.end()));
  return fmt::format("unknown {} \"{}\"{}", kind, word,
                     near ? fmt::format("; did you mean \"{}\"?", *near) : "");
}

/// Words that the command did not take: an option that is not there, or one word too many.
std::optional<std::string> extra_text(const CLI::App& command) {
  for (const std::string& word : command.remaining()) {
    if (!word.starts_with('-')) return fmt::format("unexpected argument \"{}\"", word);
    return unknown_text("option", word.substr(0, word.find('=')), option_names(command));
  }
  return std::nullopt;
}

bool asks_for_help(const std::string& word) { return word == "--help" || word == "-h" || word == "help"; }

/// What is wrong with the first word.
std::string no_command_text(const std::string& word, const Commands& commands) {
  if (word.starts_with('-')) return fmt::format("expected a command, not {}", word);
  std::vector<std::string> names;
  for (const std::unique_ptr<Command>& each : commands) names.emplace_back(each->about().name);
  return unknown_text("command", word, names);
}

/// The options of `command` are set from the words behind its name. An exit code: it was help, or an error.
std::optional<int> parse(CLI::App& app, const std::string& command, std::vector<std::string> arguments,
                         const Console& console) {
  const CLI::App* bound = app.get_subcommand(command);
  try {
    std::ranges::reverse(arguments);  // CLI11 takes the words from the back
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    console.out(bound->help("arizuko-init"));
    return exit_code::yes;
  } catch (const CLI::ParseError& error) {
    return usage_error(console, command, error.what());
  }
  if (const auto extra = extra_text(*bound)) return usage_error(console, command, *extra);
  return std::nullopt;
}

/// The command that the words mean, with its options set; or the exit code when that is all there is to do.
/// The parser is gone afterwards: a run lasts for months.
std::expected<Command*, int> understand(std::vector<std::string> words, const Commands& commands,
                                        const Console& console, bool is_pid_1) {
  CLI::App app(about, "arizuko-init");
  app.require_subcommand(1);
  app.footer(footer);
  for (const std::unique_ptr<Command>& each : commands) bind(app, *each);

  if (words.size() == 1 && asks_for_help(words.front())) {
    console.out(app.help());
    return std::unexpected(exit_code::yes);
  }
  if (!words.empty() && words.front() == "--version") {
    words.front() = "version";
  } else if (is_pid_1 && (words.empty() || words.front().starts_with('-'))) {
    words.insert(words.begin(), "run");
  } else if (words.empty()) {
    console.err(app.help());
    return std::unexpected(exit_code::usage);
  }
  const std::string name = words.front();
  const auto command = std::ranges::find(commands, name, [](const auto& each) { return each->about().name; });
  if (command == commands.end())
    return std::unexpected(usage_error(console, "", no_command_text(name, commands)));
  if (const auto code = parse(app, name, std::move(words), console)) return std::unexpected(*code);
  return command->get();
}

}  // namespace

int run(const std::vector<std::string>& words, const Console& console, bool is_pid_1) {
  try {
    const Commands commands = all_commands();
    const auto command = understand(words, commands, console, is_pid_1);
    return command ? (*command)->run(console) : command.error();
  } catch (const std::exception& bug) {
    console.err(fmt::format("arizuko-init: internal error: {}\n", bug.what()));
    return exit_code::fault;
  }
}

}  // namespace arizuko::cli
