// The commands against a real control socket: a child process serves a made-up instance.
#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "api/fake_instance.hpp"
#include "arizuko/api/servers.hpp"
#include "captured.hpp"
#include "cli/client/control_socket.hpp"
#include "temporary_directory.hpp"

using namespace arizuko;
using cli::Captured;
using cli::type;

namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// Serves `instance` in a child process until the test is over.
class Served {
 public:
  using Prepare = void (*)(api::FakeInstance& instance, boost::asio::io_context& io);
  explicit Served(Prepare prepare = nullptr) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    child_ = ::fork();
    if (child_ == 0) serve(prepare, ready[1]);
    ::close(ready[1]);
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    ::close(ready[0]);
  }
  Served(const Served&) = delete;
  ~Served() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  std::string path() const { return directory_ / "demo.sock"; }
  const std::string& directory() const { return directory_.path(); }
  Captured type(std::vector<std::string> words) const {
    words.insert(words.begin() + 1, {"--control", path()});
    return cli::type(words);
  }

 private:
  [[noreturn]] void serve(Prepare prepare, int ready) const {
    boost::asio::io_context io{1};
    api::FakeInstance instance;
    instance.log("gated", "hello");
    instance.log("seed", "other");
    instance.happen("gated", "starting", "ready", "every condition holds");
    if (prepare != nullptr) prepare(instance, io);
    const auto server = api::ControlServer::listen(io, path(), instance);
    if (!server || ::write(ready, "x", 1) != 1) ::_exit(1);
    io.run();
    ::_exit(0);
  }

  tests::TemporaryDirectory directory_;
  pid_t child_ = -1;
};

}  // namespace

TEST_CASE("cli: status --json is what scripts rely on, exit 0 when all is well") {
  const Served served;
  const Captured status = served.type({"status", "--json"});
  CHECK(status.code == 0);
  CHECK(
      status.out ==
      R"({"instance":"demo","state":"running","generation":1,"held":[],)"
      R"("control_groups":{"path":null,"controllers":[],"why_not":"this kernel runs without control groups of version 2"},"services":[)"
      R"({"name":"seed","kind":"task","group":null,"state":"done","pid":null,"since":"2026-11-18T11:06:42.000Z","restarts":0,"port":null,"waiting_for":[],"cause":"every condition holds","usage":null},)"
      R"({"name":"gated","kind":"service","group":null,"state":"ready","pid":42,"since":"2026-11-18T11:06:42.000Z","restarts":0,"port":9080,"waiting_for":[],"cause":"every condition holds","usage":null}]})"
      "\n");
}

TEST_CASE("cli: status exits 1 while something that should be ready is not, and says why") {
  const Served served([](api::FakeInstance& instance, boost::asio::io_context&) {
    engine::ServiceView& teled = instance.add("teled", plan::Kind::service, engine::State::waiting, 9001);
    teled.waiting_for = {"gated"};
  });
  const Captured status = served.type({"status"});
  CHECK(status.code == 1);
  CHECK(status.out.starts_with("demo is running: "));
  CHECK(has(status.out, "\nNAME   STATE "));
  CHECK(has(status.out, "\nteled  waiting"));
  CHECK(has(status.out, "waits for gated\n"));
  CHECK(status.err.empty());
}

TEST_CASE("cli: why says one sentence, of the pod or of a service") {
  const Served served;
  CHECK(served.type({"why"}).code == 0);
  CHECK(served.type({"why", "gated", "--json"}).out.starts_with("{\"service\":\"gated\",\"why\":\""));
  const Captured unknown = served.type({"why", "gatd"});
  CHECK(unknown.code == 1);
  CHECK(unknown.err == "there is no service \"gatd\" here; did you mean \"gated\"?\n");
}

TEST_CASE("cli: restart says what was done; an unknown service is exit 1 and the others are done") {
  const Served served;
  const Captured done = served.type({"restart", "gated"});
  CHECK(done.code == 0);
  CHECK(done.out == "gated: restart asked for\n");
  const Captured mixed = served.type({"stop", "gatd", "gated"});
  CHECK(mixed.code == 1);
  CHECK(mixed.out == "gated: restart asked for\n");
  CHECK(mixed.err == "there is no service \"gatd\" here; did you mean \"gated\"?\n");
}

TEST_CASE("cli: @NAME is every service of a group, for orders, logs and why; an unknown one does nothing") {
  const Served served([](api::FakeInstance& instance, boost::asio::io_context&) {
    for (const char* name : {"seed", "gated"}) {
      plan::Service service;
      service.name = name;
      service.group_name = "all-of-it";
      instance.plan_.services.push_back(service);
    }
  });
  const Captured done = served.type({"restart", "gated", "@all-of-it"});
  CHECK(done.code == 0);
  CHECK(done.out == "gated: restart asked for\nseed is done and is left alone\n");
  CHECK(served.type({"restart", "seed", "@all-of-it"}).out ==
        "gated: restart asked for\ngated: restart asked for\n");
  CHECK(served.type({"logs", "@all-of-it"}).out ==
        "11:06:40.000 gated        | hello\n11:06:40.000 seed         | other\n");
  const Captured why = served.type({"why", "@all-of-it", "--json"});
  CHECK(why.code == 0);
  CHECK(has(why.out, "{\"service\":\"seed\","));
  CHECK(has(why.out, "{\"service\":\"gated\","));
  const Captured unknown = served.type({"stop", "@all-of-its", "gated"});
  CHECK(unknown.code == 1);
  CHECK(unknown.out.empty());
  CHECK(unknown.err == "there is no group \"@all-of-its\" here; did you mean \"@all-of-it\"?\n");
}

TEST_CASE("cli: of a group, what is off is no failure, unless nobody is left or it was named") {
  const Served served([](api::FakeInstance& instance, boost::asio::io_context&) {
    instance.add("linkd", plan::Kind::service, engine::State::off, 0);
    for (const char* name : {"seed", "gated", "linkd"}) {
      plan::Service service;
      service.name = name;
      service.group_name = service.name == "gated" ? "core" : "idle";
      instance.plan_.services.push_back(service);
    }
  });
  const Captured both = served.type({"restart", "@idle", "@core"});
  CHECK(both.code == 0);
  CHECK(both.out ==
        "seed is done and is left alone\nlinkd is off and is left alone\ngated: restart asked for\n");
  CHECK(served.type({"restart", "@idle", "@core", "--json"})
            .out.starts_with("{\"accepted\":false,\"message\":\"seed is done and is left alone\"}\n"));
  const Captured idle = served.type({"restart", "@idle"});
  CHECK(idle.code == 1);
  CHECK(idle.err == "nothing of it can be asked to restart\n");
  CHECK(served.type({"start", "@idle", "--wait", "0.1"}).code == 1);
  CHECK(served.type({"start", "linkd", "@core", "--wait", "0.1"}).code == 1);
}

TEST_CASE("cli: a command that the instance refuses is exit 1 with its reason") {
  const Served served([](api::FakeInstance& instance, boost::asio::io_context&) {
    instance.answer_ = {false, "the pod is stopping"};
  });
  const Captured refused = served.type({"start", "gated"});
  CHECK(refused.code == 1);
  CHECK(refused.err == "the pod is stopping\n");
  CHECK(served.type({"reload"}).code == 1);
}

TEST_CASE("cli: restart --wait comes back when the service is ready again") {
  const Served served([](api::FakeInstance& instance, boost::asio::io_context&) {
    instance.on_command = [&] {
      instance.happen("gated", "ready", "stopping", "an operator asked");
      instance.happen("seed", "waiting", "done", "not what was asked for");
      instance.happen("gated", "starting", "ready", "every condition holds");
    };
  });
  CHECK(served.type({"restart", "gated", "--wait", "5"}).code == 0);
}

TEST_CASE("cli: restart --wait says why the service failed") {
  const Served served([](api::FakeInstance& instance, boost::asio::io_context&) {
    instance.on_command = [&] { instance.happen("gated", "starting", "failed", "it exited with code 1"); };
  });
  const Captured failed = served.type({"restart", "gated", "--wait", "5"});
  CHECK(failed.code == 1);
  CHECK(failed.err == "gated is failed, because it exited with code 1\n");
}

TEST_CASE("cli: restart --wait gives up when its time is over") {
  const Served served;
  const Captured late = served.type({"restart", "gated", "--wait", "0.05"});
  CHECK(late.code == 1);
  CHECK(late.err == "gated did not get there within 0.05 s; `arizuko-init why gated` says why\n");
}

TEST_CASE("cli: events as lines for people and as JSON for scripts") {
  const Served served;
  CHECK(served.type({"events"}).out ==
        "11:06:40.001 gated        starting -> ready: every condition holds\n");
  CHECK(
      served.type({"events", "--json"}).out ==
      R"({"seq":1,"time":"2026-11-18T11:06:40.001Z","service":"gated","event":"state","code":"state-changed","from":"starting","to":"ready","why":null,"cause":"every condition holds"})"
      "\n");
  CHECK(served.type({"events", "--after", "1"}).out.empty());
}

TEST_CASE("cli: events --follow ends well when the pod ends") {
  const Served served([](api::FakeInstance& instance, boost::asio::io_context&) {
    instance.on_subscribe = [&] {
      instance.happen("", "", "", "the last child is gone");
      instance.view_.state = engine::PodState::ended;
      instance.notify();
    };
  });
  const Captured followed = served.type({"events", "--follow"});
  CHECK(followed.code == 0);
  CHECK(has(followed.out, "the last child is gone\n"));
}

TEST_CASE("cli: logs show the services asked for and the number of lines asked for") {
  const Served served;
  CHECK(served.type({"logs"}).out ==
        "11:06:40.000 gated        | hello\n11:06:40.000 seed         | other\n");
  CHECK(served.type({"logs", "gated"}).out == "11:06:40.000 gated        | hello\n");
  CHECK(served.type({"logs", "--lines", "1"}).out == "11:06:40.000 seed         | other\n");
  CHECK(served.type({"logs", "--json", "-n", "1"}).out ==
        "{\"seq\":2,\"time\":\"2026-11-18T11:06:40.000Z\",\"service\":\"seed\",\"stream\":\"stderr\","
        "\"text\":\"other\"}\n");
  CHECK(served.type({"logs", "nobody"}).code == 1);
}

TEST_CASE("cli: nobody at the socket is exit 2 with what to look at") {
  const Captured nobody = type({"status", "--control", "/nowhere/demo.sock"});
  CHECK(nobody.code == 2);
  CHECK(nobody.err ==
        "cannot reach arizuko-init at /nowhere/demo.sock: there is no such socket; is it running?\n");
  CHECK(nobody.out.empty());
}

TEST_CASE("cli: a server that does not speak is exit 2, not a hang") {
  const Served served([](api::FakeInstance& instance, boost::asio::io_context&) {
    instance.on_subscribe = [] { ::_exit(0); };
  });
  CHECK(served.type({"logs", "--follow"}).code == 2);
}

TEST_CASE("cli: the socket is found by looking, and a dead one is passed over") {
  const Served served;
  std::ofstream(served.directory() + "/note.txt") << "no socket";
  std::ofstream(served.directory() + "/file.sock") << "no socket either";
  const std::string table = served.directory() + "/unix";
  std::ofstream(table) << "Num RefCount Protocol Flags Type St Inode Path\n"
                       << "0000000000000000: 00000002 00000000 00010000 0001 01 1 @arizuko-init/gone\n"
                       << "0000000000000000: 00000002 00000000 00010000 0001 01 2 @other\n";
  const cli::Found found = cli::find_control_sockets({{served.directory(), "/nowhere"}, table});
  CHECK(found.alive == std::vector<std::string>{served.path()});
  CHECK(found.refused.empty());
}

TEST_CASE("cli: a socket that takes nobody in holds nobody up while another one answers") {
  const Served served;
  const std::string path = served.directory() + "/busy.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  const auto* target = reinterpret_cast<const sockaddr*>(&address);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(::bind(listener, target, sizeof address) == 0);
  REQUIRE(::listen(listener, 0) == 0);
  std::vector<int> waiting;
  do {
    waiting.push_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  } while (::connect(waiting.back(), target, sizeof address) == 0);
  REQUIRE(errno == EAGAIN);
  const cli::Found found = cli::find_control_sockets({{served.directory()}, "/nowhere"});
  CHECK(found.alive == std::vector<std::string>{served.path()});
  CHECK(found.refused == std::vector<std::string>{path + ": its listener accepts no more connections"});
  waiting.push_back(listener);
  for (const int each : waiting) ::close(each);
}

TEST_CASE("cli: a name in the abstract namespace that is not plain is nobody's") {
  const Served served;
  const std::string table = served.directory() + "/unix";
  std::ofstream(table) << "Num RefCount Protocol Flags Type St Inode Path\n"
                       << "0000000000000000: 00000002 00000000 00010000 0001 01 1 @arizuko-init/\x1b[31m\n";
  const cli::Found found = cli::find_control_sockets({{served.directory()}, table});
  CHECK(found.alive == std::vector<std::string>{served.path()});
  CHECK(found.refused.empty());
}

TEST_CASE("cli: ARIZUKO_INIT_CONTROL names the socket, --control wins") {
  const Served served;
  ::setenv("ARIZUKO_INIT_CONTROL", served.path().c_str(), 1);
  CHECK(type({"status", "--json"}).code == 0);
  CHECK(type({"status", "--control", "/nowhere/x.sock"}).code == 2);
  ::unsetenv("ARIZUKO_INIT_CONTROL");
}
