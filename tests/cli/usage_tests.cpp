#include <doctest/doctest.h>

#include "captured.hpp"

using arizuko::cli::Captured;
using arizuko::cli::type;

namespace {
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
}  // namespace

TEST_CASE("cli: a mistyped command is usage and names the nearest") {
  const Captured typed = type({"statsu"});
  CHECK(typed.code == 64);
  CHECK(typed.out.empty());
  CHECK(typed.err ==
        "arizuko-init: unknown command \"statsu\"; did you mean \"status\"? Try `arizuko-init --help`.\n");
  CHECK(type({"xyzzy"}).err == "arizuko-init: unknown command \"xyzzy\". Try `arizuko-init --help`.\n");
}

TEST_CASE("cli: a mistyped option is usage and names the nearest") {
  const Captured typed = type({"run", "--rehears"});
  CHECK(typed.code == 64);
  CHECK(typed.err ==
        "arizuko-init run: unknown option \"--rehears\"; did you mean \"--rehearse\"? Try `arizuko-init run "
        "--help`.\n");
}

TEST_CASE("cli: what is no option is not swallowed") {
  CHECK(type({"status", "extra"}).err ==
        "arizuko-init status: unexpected argument \"extra\". Try `arizuko-init status --help`.\n");
  CHECK(type({"run", "--set", "pod.data_dir=/x", "extra"}).code == 64);
  CHECK(type({"why", "a", "b"}).code == 64);
}

TEST_CASE("cli: usage errors are 64 and say what is wrong") {
  CHECK(type({"start"}).code == 64);
  CHECK(type({"run", "--log", "xml"}).code == 64);
  CHECK(type({"logs", "--lines", "many"}).code == 64);
  CHECK(type({"logs", "--lines", "-1"}).code == 64);
  CHECK(type({"run", "--plan"}).code == 64);
  CHECK(type({"--plan", "x"}).code == 64);
  CHECK(type({"check", "--set", "nonsense"}).err ==
        "arizuko-init check: --set takes KEY=VALUE, not \"nonsense\". Try `arizuko-init check --help`.\n");
}

TEST_CASE("cli: a number out of its range is refused with the range, in one line that people read") {
  CHECK(has(type({"start", "teled", "--wait", "99999999999"}).err,
            "--wait: 99999999999 is not a number of seconds from 0 to 86400."));
  CHECK(has(type({"start", "teled", "--wait", "-1"}).err, "from 0 to 86400"));
  CHECK(has(type({"start", "teled", "--wait", "nan"}).err, "nan is not a number of seconds"));
  CHECK(has(type({"logs", "--lines", "99999999999999999999999"}).err,
            "99999999999999999999999 is not a whole number from 0 to 1000000"));
  CHECK(has(type({"logs", "--lines", "1e3"}).err, "is not a whole number"));
  CHECK(has(type({"events", "--after", "-1"}).err, "is not a whole number from 0 to 1000000000000000"));
  CHECK(has(type({"healthcheck", "--timeout", "1e300"}).err, "from 0.1 to 60"));
  const std::vector<std::vector<std::string>> wrong = {{"stop", "teled", "--wait", std::string(5000, '9')},
                                                       {"restart", "teled", "--wait", "1e308"},
                                                       {"logs", "--lines", std::string(5000, '9')},
                                                       {"events", "--after", std::string(5000, '9')},
                                                       {"healthcheck", "--timeout", std::string(5000, '9')}};
  for (const auto& words : wrong) {
    const Captured typed = type(words);
    CAPTURE(typed.err);
    CHECK(typed.code == 64);
    CHECK(typed.err.size() < 250);
  }
}

TEST_CASE("cli: without a command help goes to stderr, exit 64; as PID 1 it is run") {
  const Captured nothing = type({});
  CHECK(nothing.code == 64);
  CHECK(has(nothing.err, "status"));
  const Captured pid_1 = type({"--plan", "/nowhere/plan.toml"}, true);
  CHECK(pid_1.code == 78);
  CHECK(has(pid_1.err, "/nowhere/plan.toml"));
  CHECK(has(pid_1.err, "arizuko-init does not start (exit 78)\n"));
}

TEST_CASE("cli: every command explains itself with an example and its exit codes") {
  for (const char* name : {"run", "check", "graph", "doctor", "healthcheck", "completion", "status", "why",
                           "start", "stop", "restart", "reload", "logs", "events", "version"}) {
    CAPTURE(name);
    const Captured help = type({name, "--help"});
    CHECK(help.code == 0);
    CHECK(has(help.out, "Example:\n  arizuko-init " + std::string(name)));
    CHECK(has(help.out, "Exit codes: 0"));
    CHECK(help.err.empty());
  }
  CHECK(type({"--help"}).code == 0);
}

TEST_CASE("cli: version, as text and as JSON") {
  CHECK(type({"version"}).out.starts_with("arizuko-init "));
  CHECK(type({"--version"}).out == type({"version"}).out);
  CHECK(type({"version", "--json"}).out.starts_with("{\"name\":\"arizuko-init\",\"version\":\""));
}
