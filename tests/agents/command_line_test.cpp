// Words to commands: exactly what gated and runed call, in every spelling that docker takes, and nothing
// else.
#include "command_line.hpp"

#include <doctest/doctest.h>

#include "runs_of_both_lines.hpp"

namespace arizuko::agents {
namespace {

Result<Command> parse(std::vector<std::string> words) { return parse_command_line(words); }

template <class Kind>
Kind as(std::vector<std::string> words) {
  const auto command = parse(std::move(words));
  REQUIRE_MESSAGE(command, (command ? "" : command.error().text));
  REQUIRE(std::holds_alternative<Kind>(*command));
  return std::get<Kind>(*command);
}

Failure refused(std::vector<std::string> words) {
  const auto command = parse(std::move(words));
  REQUIRE(!command);
  return command.error();
}

}  // namespace

TEST_CASE("agents: ps takes both filters with and without =, in any order") {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"ps", "--filter=name=a-", "--format", "{{.Names}}", "--filter=ancestor=i:1"},
        {"ps", "--format={{.Names}}", "--filter", "ancestor=i:1", "-f", "name=a-"}}) {
    const auto ps = as<Ps>(words);
    CHECK(ps.name_contains == "a-");
    CHECK(ps.image == "i:1");
  }
}

TEST_CASE("agents: run understands every option that gated writes") {
  const auto run = as<Run>({"run",
                            "-i",
                            "--rm",
                            "--name",
                            "arizuko-A-main-1",
                            "--shm-size=1g",
                            "-e",
                            "TZ=Europe/Prague",
                            "--network",
                            "n",
                            "--ip",
                            "10.0.0.2",
                            "-e",
                            "HTTP_PROXY=http://p:1",
                            "--user",
                            "7:8",
                            "-e",
                            "HOME=/home/node",
                            "-v",
                            "/d/groups/main:/home/node",
                            "-v",
                            "/opt:/workspace/self:ro",
                            "image:1"});
  CHECK(run.name == "arizuko-A-main-1");
  CHECK(run.image == "image:1");
  CHECK(run.shm_bytes == 1'073'741'824u);
  CHECK(run.network == "n");
  CHECK(run.user == User{7, 8});
  CHECK(run.env.size() == 3);
  CHECK(run.env[1] == std::pair<std::string, std::string>{"HTTP_PROXY", "http://p:1"});
  REQUIRE(run.binds.size() == 2);
  CHECK(run.binds[0] == Bind{"/d/groups/main", "/home/node", Access::read_write});
  CHECK(run.binds[1] == Bind{"/opt", "/workspace/self", Access::read_only});
}

TEST_CASE("agents: run is understood as the daemon of each line writes it, empty values too") {
  for (const testing::LinesRun& each : testing::runs_of_both_lines()) {
    CAPTURE(each.line);
    const auto run = as<Run>(each.words);
    CHECK(run.name == "arizuko-Andy-main-1732900000000");
    CHECK(run.image == "image:1");
    CHECK(run.shm_bytes == 1'073'741'824u);
    CHECK(run.env == each.env);
    CHECK(run.env_from_caller.empty());
    CHECK(run.binds.size() == each.mounts.size() + each.left_out.size());
  }
}

TEST_CASE("agents: an -e without a value asks for the caller's") {
  const auto run = as<Run>({"run", "-i", "--rm", "--name", "n1", "-e", "TOKEN", "i"});
  CHECK(run.env.empty());
  CHECK(run.env_from_caller == std::vector<std::string>{"TOKEN"});
}

TEST_CASE("agents: sizes are powers of 1024, and nonsense is refused") {
  const auto bytes = [](const std::string& size) {
    return as<Run>({"run", "-i", "--rm", "--name", "n1", "--shm-size", size, "i"}).shm_bytes;
  };
  CHECK(bytes("64m") == 67'108'864u);
  CHECK(bytes("2G") == 2'147'483'648u);
  CHECK(bytes("4096") == 4096u);
  for (const std::string size : {"", "g", "1x", "-1", "0", "99999999999t"})
    CHECK(refused({"run", "-i", "--rm", "--name", "n1", "--shm-size", size, "i"}).code == 125);
}

TEST_CASE("agents: kill takes a signal with and without SIG") {
  CHECK(as<Kill>({"kill", "a"}).signal == "KILL");
  CHECK(as<Kill>({"kill", "--signal=SIGUSR1", "a"}).signal == "USR1");
  CHECK(as<Kill>({"kill", "-s", "USR1", "a", "b"}).names.size() == 2);
  CHECK(as<Kill>({"kill", "--signal", "10", "a"}).signal == "10");
  CHECK(refused({"kill", "--signal=$(x)", "a"}).code == 1);
}

TEST_CASE("agents: what is wrong with run is 125, with anything else 1") {
  CHECK(refused({"run", "-i", "--rm", "--name", "n1"}).code == 125);
  CHECK(refused({"run", "-i", "--rm", "--name", "-n1", "i"}).code == 125);
  CHECK(refused({"run", "-i", "--rm", "--name", "n1", "-v", "relative:/x", "i"}).code == 125);
  CHECK(refused({"run", "-i", "--rm", "--name", "n1", "-v", "/a:/b:rx", "i"}).code == 125);
  CHECK(refused({"run", "-i", "--rm", "--name", "n1", "--user", "node", "i"}).code == 125);
  CHECK(refused({"run", "-i", "--rm", "--name"}).text == "flag needs an argument: --name");
  CHECK(refused({"stop"}).code == 1);
  CHECK(refused({"network", "prune"}).code == 1);
  CHECK(refused({"compose", "up"}).text.find("docker run -i --rm --name NAME") != std::string::npos);
}

TEST_CASE("agents: of a network command verb and network are known") {
  CHECK(as<Network>({"network", "create", "--internal", "--subnet", "10.0.0.0/24", "net"}).name == "net");
  CHECK(as<Network>({"network", "connect", "--alias", "crackbox", "net", "crackbox"}).name == "net");
  CHECK(as<Network>({"network", "inspect", "-f", "x", "net"}).verb == "inspect");
}

}  // namespace arizuko::agents
