// Services that get into each other's way are warned of, with both places and what would work.
#include <doctest/doctest.h>

#include "support.hpp"

namespace arizuko::plan {
namespace {

using namespace testing;

std::string unit(const std::string& name, const std::string& rest) {
  return "[service." + name + "]\ncommand = [\"teled\"]\n" + rest;
}

const std::string teled =
    unit("teled", "enabled_when = [\"TOKEN\"]\nneed = [\"SHARED\", \"TOKEN\"]\nport = 9001\n");

}  // namespace

TEST_CASE("plan: T8 two services of one CHANNEL_NAME are warned of, wherever it was written") {
  const std::string one = unit("a", "env.CHANNEL_NAME = \"telegram\"\n");
  CHECK(problems_of(one + unit("b", "env.CHANNEL_NAME = \"telegram\"\n")) ==
        "p.toml:6:5: warning: service.b.env.CHANNEL_NAME: \"telegram\" is already the CHANNEL_NAME of a at "
        "p.toml:3:5: "
        "of two channels with one name the later replaces the earlier, and nobody says so; give each its "
        "own\n");
  CHECK(
      problems_of(one + "[service.b]\nlike = \"a\"\n")
          .starts_with(
              "p.toml:4:10: warning: service.b.env.CHANNEL_NAME: \"telegram\", inherited from p.toml:3:5, is "
              "already the CHANNEL_NAME of a at p.toml:3:5: "));
  CHECK(problems_of(one + unit("b", "env.CHANNEL_NAME = \"telegram-b\"\n")) == "");
  CHECK(problems_of(one + unit("b", "env.CHANNEL_NAME = \"telegram\"\nenabled = false\n")) == "");
  CHECK(problems_of(unit("a", "env.CHANNEL_NAME = \"x\"\nenabled_when = [\"MODE=a\"]\n") +
                    unit("b", "env.CHANNEL_NAME = \"x\"\nenabled_when = [\"MODE=b\"]\n")) == "");
  CHECK(problems_of(unit("a", "env.CHANNEL_NAME = \"x\"\nenabled_when = [\"MODE=a\"]\n") +
                    unit("b", "env.CHANNEL_NAME = \"x\"\nenabled_when = [[\"MODE=b\", \"Y\"]]\n")) != "");
}

TEST_CASE("plan: T9 two services of one program that share a DATA_DIR are warned of, but not of the pod's") {
  const std::string one = unit("a", "env.DATA_DIR = \"${pod.data_dir}/emaid\"\n");
  CHECK(problems_of(one + "[service.b]\nlike = \"a\"\n") ==
        "p.toml:4:10: warning: service.b.env.DATA_DIR: \"/srv/data/arizuko_demo/emaid\", inherited from "
        "p.toml:3:5, is "
        "already the DATA_DIR of a at p.toml:3:5, which runs the same program: each would use the session of "
        "the other; "
        "give each its own: \"${pod.data_dir}/${self.name}\", which make_dirs makes\n");
  CHECK(problems_of(one + "[service.b]\nlike = \"a\"\ncommand = [\"other\"]\n") == "");
  CHECK(problems_of(unit("a", "env.DATA_DIR = \"${pod.data_dir}\"\n") + "[service.b]\nlike = \"a\"\n") == "");
  CHECK(problems_of(unit("a", "env.DATA_DIR = \"${pod.data_dir}/${self.name}\"\n") +
                    "[service.b]\nlike = \"a\"\n") == "");
}

TEST_CASE("plan: two accounts on one token are warned of, what several programs share is not a token") {
  CHECK(
      problems_of(teled + "[service.work-2]\nlike = \"teled\"\nport = 9011\n") ==
      "p.toml:6:10: warning: service.work-2.need: TOKEN, inherited from p.toml:4:1, is already what teled at "
      "p.toml:1:10 is switched on by and logs in with: two of one account; give it its own: need = [\"...\", "
      "\"TOKEN = "
      "TOKEN_WORK_2\"], and enabled_when\n");
  CHECK(problems_of(teled + "[service.work]\nlike = \"teled\"\nport = 9011\nenabled_when = [\"TOKEN_WORK\"]\n"
                            "need = [\"...\", \"TOKEN = TOKEN_WORK\"]\n") == "");
  CHECK(problems_of(teled + "[service.x]\nlike = \"teled\"\ncommand = [\"x\"]\nport = 9011\n") == "");
}

TEST_CASE("plan: an account that the token of another switches on is warned of") {
  CHECK(problems_of(teled +
                    "[service.work]\nlike = \"teled\"\nport = 9011\nneed = [\"...\", \"TOKEN = OTHER\"]\n") ==
        "p.toml:6:10: warning: service.work.enabled_when: TOKEN, inherited from p.toml:3:1, switches it on, "
        "but it gets "
        "the value of OTHER as TOKEN; write enabled_when = [\"OTHER\"]\n");
  const std::string both = "enabled_when = [[\"TOKEN\", \"OTHER\"]]\nneed = [\"TOKEN = OTHER\"]\n";
  CHECK(problems_of(unit("a", both)).contains("service.a.enabled_when: TOKEN switches it on"));
  CHECK(problems_of(unit("a", both + "take = [\"SECOND = TOKEN\"]\n")) == "");
}

TEST_CASE("plan: T7 a listener that names the port of another service is warned of") {
  const auto listens = [](const std::string& name, const std::string& value) {
    return problems_of(teled + "[service.b]\ncommand = [\"b\"]\nport = 9002\nenv." + name + " = \"" + value +
                       "\"\n");
  };
  CHECK(listens("LISTEN_ADDR", "127.0.0.1:9001") ==
        "p.toml:9:5: warning: service.b.env.LISTEN_ADDR: \"127.0.0.1:9001\" names the port of teled at "
        "p.toml:5:1: who "
        "calls this service would reach that one; write the port as ${self.port}\n");
  CHECK(listens("LISTEN_URL", "${teled.url}/x").ends_with("; write \"${self.url}\"\n"));
  CHECK(listens("PROXYD_LISTEN", "9001") != "");
  CHECK(listens("WEBD_LISTEN", ":9001") != "");
  CHECK(listens("LISTEN_ADDR", "127.0.0.1:${self.port}") == "");
  CHECK(listens("LISTEN_ADDR", "127.0.0.1:19001") == "");
  CHECK(listens("LISTEN_ADDR", "${X:-127.0.0.1:9001}") == "");
  CHECK(listens("ROUTER_URL", "${teled.url}") == "");
  CHECK(listens("LISTEN", "") == "");
  const std::string both =
      problems_of(teled + "[service.b]\ncommand = [\"b\"]\nport = 9001\nenv.LISTEN = \"${self.url}\"\n");
  CHECK(both.contains("already the port of teled"));
  CHECK_FALSE(both.contains("names the port"));
}

TEST_CASE("plan: N1 a list of keys that names one key twice is warned of") {
  CHECK(problems_of(unit("a", "env.KEYS = { join = \",\", of = [\"a=${A}\", \"b=${B}\", \"c=${A}\"] }\n")) ==
        "p.toml:3:52: warning: service.a.env.KEYS.of: refers to ${A} again, after p.toml:3:32: two entries "
        "with one "
        "value; give each entry its own key\n");
  CHECK(problems_of(unit("a", "env.KEYS = { join = \",\", of = [\"a=${A}\", \"b=${B}\"] }\n")) == "");
}

}  // namespace arizuko::plan
