// From words to a plan and its values, and what a rehearsal changes. Needs the real plan layer.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <boost/json.hpp>

#include "captured.hpp"
#include "cli/prepare.hpp"
#include "cli/rehearse.hpp"
#include "temporary_directory.hpp"

using namespace arizuko;
using namespace arizuko::cli;

namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

using Directory = tests::TemporaryDirectory;

constexpr std::string_view good_plan = R"(
[pod]
instance = "${INSTANCE_NAME:-demo}"
data_dir = "${HOST_DATA_DIR:-/srv/data/arizuko_${INSTANCE_NAME:-demo}}"
probes = "127.0.0.1:9190"
page = "off"
[env]
sources = ["environment"]
[service.gated]
command = ["gated"]
port = 9080
need = ["CHANNEL_SECRET", "HOST_APP_DIR"]
essential = true
[service.teled]
command = ["teled"]
enabled_when = ["TELEGRAM_BOT_TOKEN"]
need = ["TELEGRAM_BOT_TOKEN"]
after = ["gated"]
[service.emaid]
command = ["emaid"]
enabled_when = ["EMAIL_ACCOUNT"]
need = ["EMAIL_ACCOUNT", "EMAIL_PASSWORD"]
)";

std::expected<Prepared, Refusal> prepared(const Directory& directory, Mode mode,
                                          std::vector<std::string> environment,
                                          std::vector<plan::Override> overrides = {}) {
  std::vector<char*> pointers;
  for (std::string& entry : environment) pointers.push_back(entry.data());
  pointers.push_back(nullptr);
  return prepare({directory.write("plan.toml", good_plan), std::move(overrides), mode, std::nullopt},
                 Values::needed, pointers.data());
}

}  // namespace

TEST_CASE("cli: check prints the resolved plan, and needs none of the pod's secrets") {
  const Directory directory;
  const Captured checked = type({"check", "--plan", directory.write("plan.toml", good_plan)});
  CHECK(checked.code == 0);
  CHECK(has(checked.out, "gated"));
  const Captured json = type({"check", "--json", "--plan", directory.path() + "/plan.toml"});
  CHECK(json.code == 0);
  CHECK(json.out.starts_with("{"));
}

TEST_CASE("cli: check names the files that the plan is made of, also in JSON") {
  const Directory directory;
  const std::string plan = directory.write("plan.toml", good_plan);
  std::filesystem::create_directory(plan + ".d");
  directory.write("plan.toml.d/work.toml", "[service.teled]\nport = 9011\n");
  CHECK(type({"check", "--plan", plan})
            .out.starts_with(fmt::format("plan: {0}, {0}.d/work.toml\n\npod demo\n", plan)));
  CHECK(has(type({"check", "--json", "--plan", plan}).out,
            fmt::format("\"files\": [\"{0}\", \"{0}.d/work.toml\"]", plan)));
}

TEST_CASE("cli: check --explain says where each key of a service and each of its values comes from") {
  const Directory directory;
  const std::string plan =
      directory.write("plan.toml", std::string(good_plan) +
                                       "[template.t]\ntake = [\"ARIZUKO_TEST_EXPLAIN\"]\n"
                                       "[service.x]\nlike = \"t\"\ncommand = [\"x\"]\n");
  ::setenv("ARIZUKO_TEST_EXPLAIN", "s3cret-of-the-test", 1);
  const std::vector<std::string> words = {"check", "--plan",          plan, "--explain", "x",
                                          "--set", "service.x.port=9"};
  const Captured text = type(words);
  std::vector<std::string> with_json = words;
  with_json.push_back("--json");
  const Captured json = type(with_json);
  ::unsetenv("ARIZUKO_TEST_EXPLAIN");
  CHECK(text.code == 0);
  CHECK(text.out.starts_with(fmt::format("plan: {}\n\nservice x\n\nKEY ", plan)));
  CHECK(has(text.out, "[\"ARIZUKO_TEST_EXPLAIN\"]"));
  CHECK(has(text.out, "(template t)"));
  CHECK(has(text.out, "--set "));
  CHECK(has(text.out, "take  environment\n"));
  CHECK(json.code == 0);
  const boost::json::value value = boost::json::parse(json.out);
  CHECK(value.at("keys").at(3).at("from").as_string() == "template t");
  CHECK(value.at("keys").at(3).at("parts").at(0).at("value").as_string() == "ARIZUKO_TEST_EXPLAIN");
  CHECK(value.at("keys").at(2).at("value").as_int64() == 9);
  CHECK(value.at("keys").at(2).at("line").is_null());
  CHECK(value.at("variables").at(0).at("source").as_string() == "environment");
  CHECK_FALSE(has(text.out + json.out, "s3cret"));
  const Captured none = type({"check", "--plan", plan, "--explain", "teld"});
  CHECK(none.code == 64);
  CHECK(has(none.err, "there is no service or task \"teld\"; did you mean \"teled\"?"));
  CHECK(type({"check", "--plan", plan, "--explain", "x", "--pod", "-"}).code == 64);
}

TEST_CASE("cli: check prints every problem and exits 78") {
  const Directory directory;
  const std::string plan =
      directory.write("plan.toml", "[service.gated]\ncomand = [\"gated\"]\nport = 99999\n");
  const Captured checked = type({"check", "--plan", plan});
  CHECK(checked.code == 78);
  CHECK(checked.out.empty());
  CHECK(has(checked.err, "plan.toml:2:"));
  CHECK(has(checked.err, "plan.toml:3:"));
  CHECK(has(checked.err, "the plan is refused: "));
  const Captured json = type({"check", "--json", "--plan", plan});
  CHECK(json.code == 78);
  CHECK(json.out.starts_with("{\"ok\":false,\"problems\":[{\"severity\":\"error\",\"file\":"));
}

TEST_CASE("cli: run with a wrong plan is exit 78 with all problems") {
  const Directory directory;
  const Captured run =
      type({"run", "--plan", directory.write("plan.toml", "[service.gated]\nport = 99999\n")});
  CHECK(run.code == 78);
  CHECK(has(run.err, "plan.toml:2:"));
}

TEST_CASE("cli: --set reaches the plan") {
  const Directory directory;
  const auto result = prepared(directory, Mode::real, {}, {{"pod.data_dir", "/tmp/elsewhere"}});
  REQUIRE(result);
  CHECK(result->plan.pod.data_dir == "/tmp/elsewhere");
}

TEST_CASE("rehearsal: needed keys of enabled services are made up and marked, Telegram's token too") {
  plan::Plan plan;
  plan.pod.data_dir = "/data";
  plan.services.resize(3);
  plan.services[0].name = "gated";
  plan.services[0].need = {"CHANNEL_SECRET", "HOST_APP_DIR"};
  plan.services[1].name = "teled";
  plan.services[1].enabled_when = {{{"TELEGRAM_BOT_TOKEN", std::nullopt}}};
  plan.services[1].need = {"TELEGRAM_BOT_TOKEN"};
  plan.services[2].name = "emaid";
  plan.services[2].enabled_when = {{{"EMAIL_ACCOUNT", std::nullopt}}};
  plan.services[2].need = {"EMAIL_PASSWORD"};
  env::Snapshot snapshot;
  CHECK(make_up_values(plan, snapshot) ==
        std::vector<std::string>{"CHANNEL_SECRET", "HOST_APP_DIR", "TELEGRAM_BOT_TOKEN"});
  CHECK(snapshot.values["CHANNEL_SECRET"] == env::Value{"rehearsal-made-up-CHANNEL_SECRET", "rehearsal"});
  CHECK(snapshot.values["HOST_APP_DIR"].text == "/data/rehearsal-app");
  CHECK_FALSE(snapshot.has("SLACK_BOT_TOKEN"));  // nobody asks for it
}

TEST_CASE("rehearsal: what `run` generates is not made up") {
  plan::Plan plan;
  plan.services.resize(1);
  plan.services[0].need = {"CHANNEL_SECRET", "OTHER"};
  plan.env.generated = {{"CHANNEL_SECRET"}};
  env::Snapshot snapshot;
  CHECK(make_up_values(plan, snapshot) == std::vector<std::string>{"OTHER"});
  CHECK_FALSE(snapshot.has("CHANNEL_SECRET"));
}

TEST_CASE("rehearsal: a value that is set stays") {
  plan::Plan plan;
  plan.services.resize(1);
  plan.services[0].need = {"CHANNEL_SECRET"};
  env::Snapshot snapshot;
  snapshot.values["CHANNEL_SECRET"] = {"mine", "environment"};
  CHECK(make_up_values(plan, snapshot).empty());
  CHECK(snapshot.values["CHANNEL_SECRET"].text == "mine");
}

TEST_CASE(
    "rehearsal: the data directory is the user's own, and one that cannot be is an error that says what "
    "works") {
  const Directory directory;
  const auto in = [](std::map<std::string, std::string, std::less<>> values) {
    return [values](std::string_view name) -> std::optional<std::string> {
      const auto found = values.find(name);
      return found == values.end() ? std::nullopt : std::optional(found->second);
    };
  };
  CHECK(rehearsal_data_dir("demo", Line::gated, in({{"HOME", directory.path()}})).value() ==
        directory.path() + "/.local/state/arizuko-init/rehearsal/arizuko_demo");
  CHECK(rehearsal_data_dir("demo", Line::gated,
                           in({{"HOME", "/nowhere"}, {"XDG_STATE_HOME", directory.path()}}))
            .value() == directory.path() + "/arizuko-init/rehearsal/arizuko_demo");
  CHECK(rehearsal_data_dir("demo", Line::routd, in({{"XDG_STATE_HOME", directory.path()}})).value() ==
        directory.path() + "/arizuko-init/rehearsal/routd/arizuko_demo");
  CHECK(rehearsal_data_dir("demo", Line::gated, in({})).error() ==
        "cannot choose a data directory for the rehearsal: HOME is not set; name a directory that can be "
        "written: "
        "--set pod.data_dir=DIR");
  const auto below_a_file =
      rehearsal_data_dir("demo", Line::gated, in({{"HOME", directory.write("file", "")}}));
  REQUIRE_FALSE(below_a_file);
  CHECK(has(below_a_file.error(), "--set pod.data_dir=DIR"));
}

TEST_CASE("rehearsal: every daemon is the stand-in, called by the daemon's name") {
  const Directory directory;
  directory.write("arizuko-rehearsal", "#!/bin/sh\n", 0700);
  const auto program = find_rehearsal_program(directory.path() + "/arizuko-init", "");
  REQUIRE(program);
  plan::Plan plan;
  plan.services.resize(1);
  plan.services[0].command = {"gated"};
  use_program(plan, *program);
  CHECK(plan.services[0].executable == directory.path() + "/arizuko-rehearsal");
  CHECK(plan.services[0].command == std::vector<std::string>{"gated"});
  CHECK(find_rehearsal_program("/nowhere/arizuko-init", "/x:" + directory.path()).value() == *program);
  CHECK(has(find_rehearsal_program("/nowhere/arizuko-init", "/x").error(), "/nowhere/arizuko-rehearsal"));
}

TEST_CASE("rehearsal: HOST_DATA_DIR and --set keep the data directory that was asked for") {
  const Directory directory;
  directory.write("arizuko-rehearsal", "#!/bin/sh\n", 0700);
  const std::string path = "PATH=" + directory.path();
  const auto asked = prepared(directory, Mode::rehearsal, {path, "HOST_DATA_DIR=/tmp/asked"});
  REQUIRE(asked);
  CHECK(asked->plan.pod.data_dir == "/tmp/asked");
  const auto chosen =
      prepared(directory, Mode::rehearsal, {path, "HOME=" + directory.path(), "INSTANCE_NAME=mine"});
  REQUIRE(chosen);
  CHECK(chosen->plan.pod.data_dir == directory.path() + "/.local/state/arizuko-init/rehearsal/arizuko_mine");
  CHECK(chosen->snapshot.has("CHANNEL_SECRET"));
  CHECK(chosen->notices.back() ==
        "made up for the rehearsal, because unset: CHANNEL_SECRET, HOST_APP_DIR, TELEGRAM_BOT_TOKEN");
}
