#include "command_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace arizuko::agents {
namespace {

constexpr std::string_view supported = R"(this docker command runs arizuko's agents and knows only:
  docker info
  docker ps [--filter name=TEXT] [--filter ancestor=IMAGE] --format {{.Names}}
  docker run -i --rm --name NAME [--shm-size SIZE] [-e NAME=VALUE] [--user UID[:GID]]
             [-v HOST:CONTAINER[:ro]] IMAGE
  docker stop NAME...
  docker kill [--signal SIGNAL] NAME...
  docker rm -f NAME...
  docker network inspect|create|connect ...
)";

Failure unsupported(std::string what, int code) { return {code, fmt::format("{}; {}", what, supported)}; }

/// Walks over the words; an option's value is behind `=` or the next word.
class Words {
 public:
  Words(std::span<const std::string> words, int code) : words_(words), code_(code) {}

  bool done() const { return at_ == words_.size(); }
  bool at_option() const { return !done() && words_[at_].size() > 1 && words_[at_].front() == '-'; }
  const std::string& take() { return words_[at_++]; }
  std::vector<std::string> rest() { return {words_.begin() + static_cast<long>(at_), words_.end()}; }

  /// The option's name; its value, when written as `--name=value`, is kept for value().
  std::string option() {
    const std::string& word = take();
    const auto equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    inline_value_.reset();
    if (equals != std::string::npos) inline_value_ = word.substr(equals + 1);
    return name_ = word.substr(0, equals);
  }

  Result<std::string> value() {
    if (inline_value_) return *inline_value_;
    if (done()) return fail(fmt::format("flag needs an argument: {}", name_), code_);
    return take();
  }

  std::unexpected<Failure> unknown() const {
    return std::unexpected(unsupported(fmt::format("unknown flag: {}", name_), code_));
  }
  int code() const { return code_; }

 private:
  std::span<const std::string> words_;
  std::size_t at_ = 0;
  int code_;
  std::string name_;
  std::optional<std::string> inline_value_;
};

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

/// Docker's sizes: a number with b, k, m, g or t, in powers of 1024.
Result<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view units = "bkmgt";
  const auto wrong = fail(fmt::format("invalid size: '{}'; write a number and b, k, m or g, as in 1g", text),
                          exit_run_failed);
  auto digits = text;
  std::uint64_t shift = 0;
  if (!digits.empty()) {
    const char last = static_cast<char>(digits.back() | 0x20);
    if (const auto unit = units.find(last); unit != std::string_view::npos) {
      shift = 10 * unit;
      digits.remove_suffix(1);
    }
  }
  const auto count = number<std::uint64_t>(digits);
  if (!count || *count == 0 || *count > (UINT64_MAX >> 1 >> shift)) return wrong;
  return *count << shift;
}

Result<User> parse_user(std::string_view text) {
  const auto colon = text.find(':');
  const auto uid = number<std::uint32_t>(text.substr(0, colon));
  std::optional<std::uint32_t> gid;
  if (colon != std::string_view::npos) gid = number<std::uint32_t>(text.substr(colon + 1));
  if (!uid || (colon != std::string_view::npos && !gid)) {
    return fail(fmt::format("cannot use --user {}: only numbers are supported, UID or UID:GID", text),
                exit_run_failed);
  }
  return User{*uid, gid};
}

Result<Bind> parse_bind(std::string_view text) {
  const auto wrong =
      fail(fmt::format("invalid volume specification: '{}'; write HOST:CONTAINER or HOST:CONTAINER:ro, "
                       "both absolute paths",
                       text),
           exit_run_failed);
  const auto first = text.find(':');
  if (first == std::string_view::npos) return wrong;
  const auto second = text.find(':', first + 1);
  Bind bind{std::string{text.substr(0, first)}, std::string{text.substr(first + 1, second - first - 1)},
            Access::read_write};
  const auto mode = second == std::string_view::npos ? "rw" : text.substr(second + 1);
  if (mode != "rw" && mode != "ro") return wrong;
  if (mode == "ro") bind.access = Access::read_only;
  if (!bind.host.starts_with('/') || !bind.container.starts_with('/')) return wrong;
  return bind;
}

bool is_container_name(std::string_view name) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return name.size() > 1 && name.size() <= 255 && alphanumeric(name.front()) &&
         std::ranges::all_of(name,
                             [&](char c) { return alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

Result<void> take_filter(std::string_view text, Ps& ps) {
  const auto equals = text.find('=');
  const auto key = text.substr(0, equals);
  const auto value = equals == std::string_view::npos ? "" : text.substr(equals + 1);
  if (key == "name") {
    ps.name_contains = value;
  } else if (key == "ancestor") {
    ps.image = value;
  } else {
    return std::unexpected(unsupported(fmt::format("invalid filter '{}'", key), exit_failed));
  }
  return {};
}

Result<Command> parse_ps(Words words) {
  Ps ps;
  std::string format;
  while (words.at_option()) {
    const auto option = words.option();
    if (option != "--filter" && option != "-f" && option != "--format") return words.unknown();
    auto value = words.value();
    if (!value) return std::unexpected(value.error());
    if (option == "--format") {
      format = *value;
    } else if (auto taken = take_filter(*value, ps); !taken) {
      return std::unexpected(taken.error());
    }
  }
  if (!words.done()) return std::unexpected(unsupported("ps takes no arguments", words.code()));
  if (format != "{{.Names}}") {
    return std::unexpected(
        unsupported(fmt::format("ps can only print names, not --format '{}'", format), words.code()));
  }
  return ps;
}

Result<void> take_env(const std::string& text, Run& run) {
  const auto equals = text.find('=');
  if (equals == 0 || text.empty())
    return fail("invalid environment variable: it has no name", exit_run_failed);
  if (equals == std::string::npos) {
    run.env_from_caller.push_back(text);
  } else {
    run.env.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return {};
}

/// One option of `run` that has a value.
Result<void> take_run_option(const std::string& option, const std::string& value, Run& run) {
  if (option == "--name") run.name = value;
  if (option == "--network") run.network = value;
  if (option == "-e" || option == "--env") return take_env(value, run);
  if (option == "--shm-size") {
    const auto bytes = parse_size(value);
    if (!bytes) return std::unexpected(bytes.error());
    run.shm_bytes = *bytes;
  }
  if (option == "--user" || option == "-u") {
    const auto user = parse_user(value);
    if (!user) return std::unexpected(user.error());
    run.user = *user;
  }
  if (option == "-v" || option == "--volume") {
    auto bind = parse_bind(value);
    if (!bind) return std::unexpected(bind.error());
    run.binds.push_back(std::move(*bind));
  }
  return {};
}

Result<Command> check_run(Run run, std::string_view flags, Words& words) {
  if (words.done()) return std::unexpected(unsupported("run needs an IMAGE", words.code()));
  run.image = words.take();
  if (!words.done()) {
    return std::unexpected(unsupported("run cannot replace the image's command", words.code()));
  }
  if (flags.find('i') == std::string_view::npos || flags.find('r') == std::string_view::npos) {
    return std::unexpected(unsupported("run needs -i and --rm", words.code()));
  }
  if (!is_container_name(run.name)) {
    return fail(
        fmt::format("Invalid container name ({}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", run.name),
        words.code());
  }
  return run;
}

Result<Command> parse_run(Words words) {
  constexpr auto with_value = std::to_array<std::string_view>(
      {"--name", "--network", "--ip", "-e", "--env", "--shm-size", "--user", "-u", "-v", "--volume"});
  Run run;
  std::string flags;
  while (words.at_option()) {
    const auto option = words.option();
    if (option == "-i" || option == "--interactive") {
      flags += 'i';
    } else if (option == "--rm") {
      flags += 'r';
    } else if (std::ranges::find(with_value, option) != with_value.end()) {
      auto value = words.value();
      if (!value) return std::unexpected(value.error());
      if (auto taken = take_run_option(option, *value, run); !taken) return std::unexpected(taken.error());
    } else {
      return words.unknown();
    }
  }
  return check_run(std::move(run), flags, words);
}

Result<std::vector<std::string>> names(Words& words, std::string_view command) {
  auto out = words.rest();
  if (out.empty()) {
    return std::unexpected(unsupported(fmt::format("{} needs the NAME of an agent", command), words.code()));
  }
  return out;
}

Result<Command> parse_stop(Words words) {
  if (words.at_option()) {
    words.option();
    return words.unknown();
  }
  auto found = names(words, "stop");
  if (!found) return std::unexpected(found.error());
  return Stop{std::move(*found)};
}

Result<Command> parse_kill(Words words) {
  Kill kill;
  while (words.at_option()) {
    const auto option = words.option();
    if (option != "--signal" && option != "-s") return words.unknown();
    auto value = words.value();
    if (!value) return std::unexpected(value.error());
    kill.signal = value->starts_with("SIG") ? value->substr(3) : *value;
    const auto plain = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+'; };
    if (kill.signal.empty() || kill.signal.size() > 12 || !std::ranges::all_of(kill.signal, plain)) {
      return fail(fmt::format("Invalid signal: {}; write a name or a number, as in SIGUSR1", *value));
    }
  }
  auto found = names(words, "kill");
  if (!found) return std::unexpected(found.error());
  kill.names = std::move(*found);
  return kill;
}

Result<Command> parse_remove(Words words) {
  bool forced = false;
  while (words.at_option()) {
    const auto option = words.option();
    if (option != "-f" && option != "--force") return words.unknown();
    forced = true;
  }
  if (!forced) return std::unexpected(unsupported("rm needs -f", words.code()));
  auto found = names(words, "rm");
  if (!found) return std::unexpected(found.error());
  return Remove{std::move(*found)};
}

/// Only the verb and the network are of interest: none of it can be done.
Result<Command> parse_network(std::span<const std::string> words) {
  Network network;
  if (!words.empty()) network.verb = words.front();
  if (network.verb == "inspect" || network.verb == "create") network.name = words.back();
  if (network.verb == "connect" && words.size() > 2) network.name = words[words.size() - 2];
  if (network.name.empty() || words.size() < 2) {
    return std::unexpected(
        unsupported(fmt::format("unknown command: docker network {}", network.verb), exit_failed));
  }
  return network;
}

}  // namespace

std::string_view usage() { return supported; }

Result<Command> parse_command_line(std::span<const std::string> words) {
  if (words.empty() || words.front() == "--help" || words.front() == "help") return Help{};
  const std::string& verb = words.front();
  const auto rest = words.subspan(1);
  if (verb == "--version" || verb == "-v") return Version{};
  if (verb == "info") {
    if (!rest.empty()) return std::unexpected(unsupported("info takes no arguments", exit_failed));
    return Info{};
  }
  if (verb == "ps") return parse_ps({rest, exit_failed});
  if (verb == "run") return parse_run({rest, exit_run_failed});
  if (verb == "stop") return parse_stop({rest, exit_failed});
  if (verb == "kill") return parse_kill({rest, exit_failed});
  if (verb == "rm") return parse_remove({rest, exit_failed});
  if (verb == "network") return parse_network(rest);
  return std::unexpected(unsupported(fmt::format("'{}' is not supported", verb), exit_failed));
}

}  // namespace arizuko::agents
