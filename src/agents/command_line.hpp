// The docker commands that gated and runed call, from words to types: exactly those nine shapes, and an error
// that names them for anything else. Pure: no environment, no output.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "failure.hpp"

namespace arizuko::agents {

enum class Access { read_write, read_only };

/// `-v HOST:CONTAINER[:ro]`, both absolute.
struct Bind {
  std::string host;
  std::string container;
  Access access = Access::read_write;
  bool operator==(const Bind&) const = default;
};

/// `--user UID[:GID]`: numbers only, there is no /etc/passwd to ask here.
struct User {
  std::uint32_t uid = 0;
  std::optional<std::uint32_t> gid;
  bool operator==(const User&) const = default;
};

struct Help {};
struct Version {};
struct Info {};

/// `ps --format {{.Names}}` with filters, each optional.
struct Ps {
  std::string name_contains;
  std::string image;
};

/// `run -i --rm --name N ... IMAGE`.
struct Run {
  std::string name;
  std::string image;
  std::optional<std::uint64_t> shm_bytes;
  std::vector<std::pair<std::string, std::string>> env;  // in order; of twins the last one counts
  std::vector<std::string> env_from_caller;              // `-e NAME`: the caller's value, if it has one
  std::vector<Bind> binds;
  std::optional<User> user;
  std::string network;  // empty: none asked for
};

struct Stop {
  std::vector<std::string> names;
};

struct Kill {
  std::vector<std::string> names;
  std::string signal = "KILL";  // without SIG, or a number
};

struct Remove {
  std::vector<std::string> names;
};

struct Network {
  std::string verb;  // inspect, create, connect
  std::string name;
};

using Command = std::variant<Help, Version, Info, Ps, Run, Stop, Kill, Remove, Network>;

/// `words` are the arguments behind the program's name. A failure of `run` has docker's 125.
Result<Command> parse_command_line(std::span<const std::string> words);

/// What is supported, one shape a line.
std::string_view usage();

}  // namespace arizuko::agents
