// docker as gated asks it, and how agents go.
#include <doctest/doctest.h>

#include <csignal>
#include <fstream>

#include "world.hpp"

using namespace arizuko;
using namespace arizuko::doctor;
using namespace arizuko::doctor::testing;

TEST_CASE("doctor: an ordinary word that is some variable's value stays in what docker said") {
  World world;
  world.set("CONTAINER_BACKEND", "docker");
  world.write("bin/docker", "#!/bin/sh\necho 'Cannot connect to the docker daemon' >&2\nexit 1\n", 0755);
  CHECK(only(check_docker(world.context())).what ==
        "`docker info` ended with 1: Cannot connect to the docker daemon");
}

TEST_CASE("doctor: docker that is absent, fails, dies or hangs is an error (0.8)") {
  World world;
  world.write("bin/docker", "#!/bin/sh\n[ \"$1\" = info ] && exit 0\nexit 9\n", 0755);
  CHECK(heads(check_docker(world.context())) == Heads{});
  world.write("bin/docker",
              "#!/bin/sh\necho 'Client: 28'; echo 'Cannot connect with planted-secret' >&2\nexit 1\n", 0755);
  CHECK(only(check_docker(world.context())).what ==
        "`docker info` ended with 1: Cannot connect with [redacted:CHANNEL_SECRET]");
  world.write("bin/docker", "#!/bin/sh\nkill -9 $$\n", 0755);
  CHECK(only(check_docker(world.context())).what == "`docker info` ended by signal 9");
  world.write("bin/docker", "#!/bin/sh\n/bin/sleep 600 &\nwait\n", 0755);
  Context impatient = world.context();
  impatient.docker_patience = std::chrono::milliseconds(200);
  CHECK(only(check_docker(impatient)).what == "`docker info` did not answer within 200 ms");
  world.remove("bin/docker");
  CHECK(only(check_docker(world.context())).what == "there is no docker command in " + world.root + "/bin");
}

TEST_CASE("doctor: nothing that docker starts outlives it, in its session or out of it") {
  const World world;
  const std::string pids = world.root + "/pids";
  world.write("bin/docker",
              "#!/bin/sh\n/bin/sleep 777 &\necho $! >>" + pids +
                  "\n/usr/bin/setsid -f /usr/bin/env -i /bin/sh -c 'echo $$ >>" + pids +
                  "; exec /bin/sleep 777'\nwhile [ $(/usr/bin/wc -l <" + pids +
                  ") -lt 2 ]; do :; done\nexit 0\n",
              0755);
  CHECK(heads(check_docker(world.context())) == Heads{});
  std::ifstream left(pids);
  int count = 0;
  for (pid_t pid = 0; left >> pid; ++count) CHECK(::kill(pid, 0) != 0);
  CHECK(count == 2);
}

TEST_CASE("doctor: docker that leaves a child with its output open does not hold it up") {
  const World world;
  world.write("bin/docker", "#!/bin/sh\n/bin/sleep 5 &\nexit 0\n", 0755);
  const auto begun = std::chrono::steady_clock::now();
  CHECK(heads(check_docker(world.context())) == Heads{});
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(4));
}

// ---------------------------------------------------------------------------------------------

TEST_CASE(
    "doctor: agents that are switched off, or fail again and again, are said with since and why (T40)") {
  World world;
  CHECK(heads(check_agents(world.context())) == Heads{});
  world.set("CONTAINER_BACKEND", "none");
  CHECK(only(check_agents(world.context())).what == "it is none: no agent can run");
  world.set("CONTAINER_BACKEND", "kubernetes");
  const auto ledger = [](int failures) {
    return fmt::format(R"({{"backend":"kubernetes","groups":[{{"group":"main","failures":{},"since":1000,)"
                       R"("reason":"403 \u001b[31mForbidden"}}]}})",
                       failures);
  };
  world.write("data/.arizuko-init/agents.json", ledger(2));
  CHECK(heads(check_agents(world.context())) == Heads{});
  world.write("data/.arizuko-init/agents.json", ledger(3));
  const auto found = only(check_agents(world.context()));
  CHECK(found.key == "main");
  CHECK(found.what ==
        "Agents of group main have failed 3 times in a row for more than a year: 403  [31mForbidden.");
}
