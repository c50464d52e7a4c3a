// The one file that knows the parser (CLI11) and its exceptions.
#include "arizuko/cli/command_line.hpp"
#include "arizuko/host/logs/shown.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include "arizuko/api/nearest.hpp"
#include "arizuko/api/status_json.hpp"
#include "arizuko/api/version.hpp"
#include "arizuko/host/logs/shown.hpp"
#include "completion.hpp"
#include "options.hpp"

namespace arizuko::cli {

namespace {

constexpr const char* about =
    "arizuko-init: the entrypoint of an arizuko container. Seeds the instance, opens the gate\n"
    "when gated serves, starts and restarts the daemons, answers the probes.";

constexpr const char* client_codes = "Exit codes: 0 yes, 1 no, 2 nobody answers, 64 usage.\n";

constexpr const char* run_footer =
    "Example:\n"
    "  arizuko-init run --rehearse                        stand-ins for every daemon, needs nothing\n"
    "  arizuko-init run --plan my.toml --set pod.probes=127.0.0.1:9190\n\n"
    "Without --plan: /etc/arizuko/arizuko.toml, else etc/arizuko.toml of the source tree it was built in.\n"
    "As PID 1, `run` is what happens without a command.\n\n"
    "Exit codes: 0 stopped as asked, 64 usage, 69 the gate never opened, 70 a fault of arizuko-init,\n"
    "  73 seeding failed, 75 an essential service is finally dead, 77 the data directory is locked or\n"
    "  not writable, 78 the plan or a needed value is wrong.\n";

struct Words {
  RunOptions run;
  CheckOptions check;
  DoctorOptions doctor;
  HealthOptions health;
  ClientOptions client;
  std::string shell;
  std::string action;
  std::vector<std::string> set;
  std::string log;
  bool rehearse = false;
  bool json = false;
};

constexpr double longest_wait_seconds = 86'400;
constexpr std::uint64_t most_lines = 1'000'000;
constexpr std::uint64_t most_events = 1'000'000'000'000'000;

/// All of `text`: no sign but a minus, no blanks, neither nan nor inf.
template <class Number>
std::optional<Number> a_number(std::string_view text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

std::string shown(std::string_view text) {
  constexpr std::size_t most = 40;
  return text.size() <= most ? std::string(text) : std::string(text.substr(0, most)) + "...";
}

std::string example(std::string_view lines, std::string_view codes) {
  return fmt::format("Example:\n{}\n{}", lines, codes);
}

void add_plan_options(CLI::App& command, Words& words, PlanOptions& plan) {
  command.add_option("--plan", plan.plan, "The plan to use")->type_name("FILE");
  command
      .add_option("--set", words.set,
                  "Replace a key of the plan, by its path: pod.data_dir=/tmp/demo; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_flag("--rehearse", words.rehearse,
                   "Stand-ins for every daemon, made-up values where none are set");
}

void add_client_options(CLI::App& command, Words& words) {
  command
      .add_option("--control", words.client.control,
                  "The instance's control socket, a path or @NAME\n(default: $ARIZUKO_INIT_CONTROL, else the "
                  "one that is found)")
      ->type_name("PATH");
  command.add_flag("--json", words.json, "JSON, for scripts");
}

void add_services(CLI::App& command, Words& words, bool required) {
  CLI::Option* option =
      command.add_option("SERVICE", words.client.services, "Names of services")->type_name("");
  if (required) option->required();
}

/// A number of seconds; the message repeats at most what a person would type.
CLI::Validator seconds(double least, double most) {
  return {[least, most](std::string& text) -> std::string {
            const std::optional<double> number = a_number<double>(text);
            if (number && *number >= least && *number <= most) return {};
            return fmt::format("{} is not a number of seconds from {:g} to {:g}", shown(text), least, most);
          },
          ""};
}

/// A whole number, without a sign.
CLI::Validator whole_number(std::uint64_t most) {
  return {[most](std::string& text) -> std::string {
            const std::optional<std::uint64_t> number = a_number<std::uint64_t>(text);
            if (number && *number <= most) return {};
            return fmt::format("{} is not a whole number from 0 to {}", shown(text), most);
          },
          ""};
}

void add_wait(CLI::App& command, Words& words) {
  command
      .add_option("--wait", words.client.wait_seconds,
                  "Wait until it is there, or has failed, at most this long")
      ->type_name("SECONDS")
      ->check(seconds(0, longest_wait_seconds));
}

void add_run_and_check(CLI::App& app, Words& words) {
  CLI::App* run = app.add_subcommand("run", "Run the instance in the foreground");
  add_plan_options(*run, words, words.run.plan);
  run->add_option("--control", words.run.control, "Where the control socket listens, a path or @NAME")
      ->type_name("PATH");
  run->add_option("--log", words.log,
                  "Form of the log: console, json or journal (default: by what stdout is)")
      ->type_name("FORM")
      ->check(CLI::IsMember({"console", "json", "journal"}));
  run->footer(run_footer);

  CLI::App* check =
      app.add_subcommand("check", "Print the resolved plan, or everything that is wrong with it");
  add_plan_options(*check, words, words.check.plan);
  check->add_flag("--json", words.json, "JSON, for scripts");
  check
      ->add_option("--pod", words.check.pod,
                   "Hold a rendered Kubernetes manifest against the plan; - reads it from stdin")
      ->type_name("FILE");
  check->footer(example(
      "  arizuko-init check --plan etc/arizuko.toml\n"
      "  kubectl kustomize k8s/overlays/production | arizuko-init check --pod -\n",
      "Exit codes: 0 the plan is good (there may be warnings), 64 usage, 78 the plan is wrong.\n"
      "  With --pod: 0 nothing wrong, 1 warnings only, 64 usage, 78 an error, or the plan is wrong.\n"));
}

void add_examinations(CLI::App& app, Words& words) {
  CLI::App* doctor =
      app.add_subcommand("doctor", "Look for what is wrong on this machine or in this pod, before it shows");
  add_plan_options(*doctor, words, words.doctor.plan);
  doctor->add_flag("--json", words.json, "JSON, for scripts");
  doctor->footer(
      example("  arizuko-init doctor\n  kubectl exec deploy/arizuko -- arizuko-init doctor --json\n",
              "Exit codes: 0 nothing wrong (there may be notes), 1 warnings only, 64 usage, 78 an error.\n"));

  CLI::App* health = app.add_subcommand(
      "healthcheck", "Ask the probe port whether the instance is ready, for Docker's HEALTHCHECK");
  add_plan_options(*health, words, words.health.plan);
  health
      ->add_option("--probe", words.health.probe, "What to ask: readyz, livez or startupz (default: readyz)")
      ->type_name("NAME")
      ->check(CLI::IsMember({"readyz", "livez", "startupz"}));
  health->add_option("--timeout", words.health.timeout_seconds, "How long an answer may take (default: 3)")
      ->type_name("SECONDS")
      ->check(seconds(0.1, 60));
  health->footer(example("  arizuko-init healthcheck\n  arizuko-init healthcheck --probe livez\n",
                         "Exit codes: 0 yes, 1 no or nobody answers, 64 usage.\n"));

  CLI::App* completion =
      app.add_subcommand("completion", "Print the script that completes commands in a shell");
  completion->add_option("SHELL", words.shell, "bash, zsh or fish")
      ->type_name("")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion->footer(
      example("  arizuko-init completion bash > /etc/bash_completion.d/arizuko-init\n"
              "  arizuko-init completion zsh > \"${fpath[1]}/_arizuko-init\"\n"
              "  arizuko-init completion fish > ~/.config/fish/completions/arizuko-init.fish\n",
              "Exit codes: 0, 64 usage.\n"));
}

void add_questions(CLI::App& app, Words& words) {
  CLI::App* status = app.add_subcommand("status", "Show every service and its state");
  add_client_options(*status, words);
  status->footer(example(
      "  arizuko-init status\n  arizuko-init status --json | jq -r '.services[].state'\n",
      "Exit codes: 0 all is well, 1 something that should be ready is not, 2 nobody answers, 64 usage.\n"));

  CLI::App* why = app.add_subcommand("why", "Say in one sentence why a service, or the pod, is as it is");
  add_client_options(*why, words);
  add_services(*why, words, false);
  why->get_option("SERVICE")->expected(0, 1);
  why->footer(example("  arizuko-init why teled\n", client_codes));

  CLI::App* logs = app.add_subcommand("logs", "Show the last log lines of services");
  add_client_options(*logs, words);
  logs->add_flag("--follow,-f", words.client.follow, "Go on with new lines as they come");
  logs->add_option("--lines,-n", words.client.lines, "How many lines (default: 100)")
      ->type_name("N")
      ->check(whole_number(most_lines));
  add_services(*logs, words, false);
  logs->footer(example("  arizuko-init logs --follow gated teled\n", client_codes));

  CLI::App* events = app.add_subcommand("events", "Show the history: every change of state, with its cause");
  add_client_options(*events, words);
  events->add_flag("--follow,-f", words.client.follow, "Go on with new events as they come");
  events->add_option("--after", words.client.after, "Only events with a greater number")
      ->type_name("SEQ")
      ->check(whole_number(most_events));
  events->footer(example("  arizuko-init events --json --follow | jq -r .cause\n", client_codes));
}

void add_commands(CLI::App& app, Words& words) {
  struct Entry {
    const char* name;
    const char* help;
    const char* lines;
  };
  for (const Entry& entry :
       {Entry{"start", "Start services that are off or failed", "  arizuko-init start teled --wait 30\n"},
        Entry{"stop", "Stop services; they stay off until started", "  arizuko-init stop teled\n"},
        Entry{"restart", "Stop services and start them again", "  arizuko-init restart gated --wait 60\n"}}) {
    CLI::App* command = app.add_subcommand(entry.name, entry.help);
    add_client_options(*command, words);
    add_services(*command, words, true);
    add_wait(*command, words);
    command->footer(example(entry.lines, client_codes));
  }
  CLI::App* reload = app.add_subcommand("reload", "Read the plan and the environment again");
  add_client_options(*reload, words);
  reload->footer(example("  arizuko-init reload\n", client_codes));

  CLI::App* secrets = app.add_subcommand(
      "secrets", "Show which values are in use, by name; accept one that is held back, or try it again");
  add_client_options(*secrets, words);
  secrets
      ->add_option(
          "ACTION", words.action,
          "`accept KEY`: take a value that is held back until somebody does; `retry [KEY]`: try what a "
          "service did not bear once more")
      ->type_name("")
      ->check(CLI::IsMember({"accept", "retry"}));
  secrets->add_option("KEY", words.client.key, "The key")->type_name("");
  secrets->footer(example(
      "  arizuko-init secrets\n  arizuko-init secrets accept AUTH_SECRET\n  arizuko-init secrets retry\n",
      client_codes));

  CLI::App* version = app.add_subcommand("version", "Print the version");
  version->add_flag("--json", words.json, "JSON, for scripts");
  version->footer(example("  arizuko-init version\n", "Exit codes: 0, 64 usage.\n"));
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

int usage_error(const Console& console, std::string_view command, std::string_view sentence) {
  const std::string name = command.empty() ? "arizuko-init" : fmt::format("arizuko-init {}", command);
  console.err(fmt::format("{}: {}; `{} --help` shows what there is\n", name, sentence, name));
  return exit_code::usage;
}

std::string unknown_text(std::string_view kind, std::string_view word,
                         const std::vector<std::string>& known) {
  const std::string near = api::nearest(word, known);
  return fmt::format("there is no {} \"{}\"{}", kind, word,
                     near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near));
}

/// What there is to type, as plain data: for completion.cpp.
std::vector<CommandWords> table_of(const CLI::App& app) {
  std::vector<CommandWords> table;
  for (const CLI::App* command : app.get_subcommands({})) {
    CommandWords entry{command->get_name(), command->get_description(), {}, {}};
    for (const CLI::Option* option : command->get_options()) {
      if (option->get_positional()) {
        if (entry.positional.empty()) entry.positional = option->get_name(true);
        continue;
      }
      // What a check adds behind the name, "FORM:{console,json}", is for people; zsh would run it.
      const std::string value = option->get_type_name();
      OptionWords words{{}, {}, option->get_description(), value.substr(0, value.find(':'))};
      for (const std::string& name : option->get_lnames()) words.long_name = name;
      for (const std::string& name : option->get_snames()) words.short_name = name;
      entry.options.push_back(std::move(words));
    }
    table.push_back(std::move(entry));
  }
  return table;
}

/// Words that the command did not take: an option that is not there, or one word too many.
std::optional<std::string> extra_text(const CLI::App& command) {
  for (const std::string& word : command.remaining()) {
    if (!word.starts_with('-')) return fmt::format("\"{}\" is one word too many", word);
    return unknown_text("option", word.substr(0, word.find('=')), option_names(command));
  }
  return std::nullopt;
}

std::expected<std::vector<plan::Override>, std::string> overrides_of(const std::vector<std::string>& texts) {
  std::vector<plan::Override> overrides;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return std::unexpected(fmt::format("--set takes KEY=VALUE, not \"{}\"", text));
    }
    overrides.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  return overrides;
}

int print_version(const Words& words, const Console& console) {
  console.out(words.json ? fmt::format("{{\"name\":\"arizuko-init\",\"version\":{}}}\n",
                                       api::json_string(api::version))
                         : fmt::format("arizuko-init {}\n", api::version));
  return exit_code::yes;
}

int dispatch(const std::string& name, Words& words, const CLI::App& app, const Console& console) {
  const auto overrides = overrides_of(words.set);
  if (!overrides) return usage_error(console, name, overrides.error());
  const Output output = words.json ? Output::json : Output::text;
  const Mode mode = words.rehearse ? Mode::rehearsal : Mode::real;
  words.client.output = words.check.output = words.doctor.output = output;
  for (PlanOptions* plan : {&words.run.plan, &words.check.plan, &words.doctor.plan, &words.health.plan}) {
    plan->overrides = *overrides;
    plan->mode = mode;
  }
  // Not by CLI11, which would let the variable of one command win over the option of another.
  const char* named = std::getenv("ARIZUKO_INIT_CONTROL");
  if (words.client.control.empty() && named != nullptr) words.client.control = named;
  if (words.log == "console") words.run.log = plan::LogFormat::console;
  if (words.log == "json") words.run.log = plan::LogFormat::json;
  if (words.log == "journal") words.run.log = plan::LogFormat::journal;

  if (name == "run") return run_instance(words.run, console);
  if (name == "check")
    return words.check.pod.empty() ? check(words.check, console) : check_pod(words.check, console);
  if (name == "doctor") return doctor(words.doctor, console);
  if (name == "healthcheck") return healthcheck(words.health, console);
  if (name == "completion") {
    console.out(completion_script(words.shell, table_of(app)));
    return exit_code::yes;
  }
  if (name == "status") return status(words.client, console);
  if (name == "why") return why(words.client, console);
  if (name == "start") return command(Verb::start, words.client, console);
  if (name == "stop") return command(Verb::stop, words.client, console);
  if (name == "restart") return command(Verb::restart, words.client, console);
  if (name == "reload") return reload(words.client, console);
  if (name == "secrets") {
    if (words.action == "accept" && words.client.key.empty())
      return usage_error(console, name, "accept needs the name of a key");
    using Action = ClientOptions::SecretsAction;
    words.client.secrets_action = words.action == "accept"  ? Action::accept
                                  : words.action == "retry" ? Action::retry
                                                            : Action::show;
    return secrets(words.client, console);
  }
  if (name == "logs") return logs(words.client, console);
  if (name == "events") return events(words.client, console);
  return print_version(words, console);
}

bool asks_for_help(const std::string& word) { return word == "--help" || word == "-h" || word == "help"; }

int parse_and_run(std::vector<std::string> arguments, const Console& console, bool is_pid_1) {
  Words words;
  CLI::App app(about, "arizuko-init");
  app.require_subcommand(1);
  app.footer(
      "Example:\n  arizuko-init run --rehearse\n  arizuko-init status\n\n"
      "`arizuko-init COMMAND --help` shows a command's options, an example and its exit codes.\n");
  add_run_and_check(app, words);
  add_examinations(app, words);
  add_questions(app, words);
  add_commands(app, words);
  // What a command does not take is reported by extra_text, with the nearest name.
  for (CLI::App* command : app.get_subcommands({})) command->allow_extras();

  const bool only_options = arguments.empty() || arguments.front().starts_with('-');
  if (!arguments.empty() && arguments.front() == "--version")
    arguments.front() = "version";
  else if (!arguments.empty() && asks_for_help(arguments.front()) && arguments.size() == 1) {
    console.out(app.help());
    return exit_code::yes;
  } else if (only_options && is_pid_1)
    arguments.insert(arguments.begin(), "run");
  else if (arguments.empty()) {
    console.err(app.help());
    return exit_code::usage;
  }
  const std::string name = arguments.front();
  const std::vector<std::string> commands = command_names(app);
  if (std::ranges::find(commands, name) == commands.end()) {
    if (!name.starts_with('-')) return usage_error(console, "", unknown_text("command", name, commands));
    return usage_error(console, "", fmt::format("a command comes first, not {}", name));
  }
  const CLI::App* command = app.get_subcommand(name);
  try {
    std::ranges::reverse(arguments);  // CLI11 takes the words from the back
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    console.out(command->help("arizuko-init"));
    return exit_code::yes;
  } catch (const CLI::ParseError& error) {
    return usage_error(console, name, error.what());
  }
  if (const auto extra = extra_text(*command)) return usage_error(console, name, *extra);
  return dispatch(name, words, app, console);
}

/// Writes all, or gives up when nobody reads: a command's output is not worth hanging for.
void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

int run(const std::vector<std::string>& words, const Console& console, bool is_pid_1) {
  try {
    return parse_and_run(words, console, is_pid_1);
  } catch (const std::exception& bug) {
    console.err(fmt::format("arizuko-init: a fault of its own: {}\n", bug.what()));
    return exit_code::fault;
  }
}

int run(int argc, char** argv) {
  Console console;
  console.is_terminal = ::isatty(STDOUT_FILENO) == 1;
  const char* no_colour = std::getenv("NO_COLOR");  // no-color.org
  console.colour = console.is_terminal && (no_colour == nullptr || *no_colour == '\0');
  // The last gate, for a pipe too: `kubectl exec` without a terminal ends on one.
  const host::Paint paint = console.colour ? host::Paint::colours : host::Paint::none;
  console.out = [paint](std::string_view text) {
    write_all(STDOUT_FILENO, host::terminal_text(text, paint));
  };
  console.err = [](std::string_view text) {
    write_all(STDERR_FILENO, host::terminal_text(text, host::Paint::none));
  };
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  return run(words, console, ::getpid() == 1);
}

}  // namespace arizuko::cli
