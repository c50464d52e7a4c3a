// What systemd is told, at a socket of the test's own.
#include "arizuko/host/supervisor/service_manager.hpp"

#include <map>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "api/fake_instance.hpp"
#include "host/host_test_tools.hpp"

namespace arizuko::tests {

namespace {

using api::FakeInstance;
using namespace host;  // NOLINT: a test about nothing else
using host::testing::Scratch;

class Manager {
 public:
  explicit Manager(const std::string& path) {
    socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~Manager() { ::close(socket_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  /// The next message; empty when there is none.
  std::string next() const {
    char text[4096];
    const ssize_t size = ::recv(socket_, text, sizeof text, MSG_DONTWAIT);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
  }

 private:
  int socket_ = -1;
};

std::optional<ServiceManagerFacts> facts_of(const std::map<std::string, std::string>& variables) {
  return service_manager_facts(
      [&](const char* name) {
        const auto found = variables.find(name);
        return found != variables.end() ? found->second.c_str() : nullptr;
      },
      17);
}

}  // namespace

TEST_CASE("service manager: nobody is told unless a socket is named; a watchdog is ours or for everybody") {
  CHECK_FALSE(facts_of({}));
  CHECK_FALSE(facts_of({{"NOTIFY_SOCKET", ""}}));
  CHECK_FALSE(facts_of({{"NOTIFY_SOCKET", "vsock:2:1234"}}));
  CHECK_FALSE(facts_of({{"NOTIFY_SOCKET", "/" + std::string(200, 'a')}}));
  CHECK_FALSE(facts_of({{"NOTIFY_SOCKET", "@name"}})->watchdog);
  const auto watched = [&](const std::string& usec, const std::string& pid) {
    return facts_of({{"NOTIFY_SOCKET", "/s"}, {"WATCHDOG_USEC", usec}, {"WATCHDOG_PID", pid}})->watchdog;
  };
  CHECK_EQ(watched("2000000", "17"), std::chrono::seconds(2));
  CHECK_FALSE(watched("2000000", "18"));
  CHECK_FALSE(watched("many", "17"));
  CHECK_FALSE(watched("0", "17"));
}

TEST_CASE("service manager: ready once, the state in a line, and the end") {
  const Scratch scratch;
  const Manager manager(scratch / "notify");
  boost::asio::io_context io;
  FakeInstance instance;
  instance.view_.opened = instance.view_.ready = false;
  instance.view_.state = engine::PodState::booting;
  const ServiceManager told(io, instance, {scratch / "notify", std::nullopt});
  CHECK(manager.next().starts_with("STATUS="));
  instance.notify();
  CHECK_EQ(manager.next(), "");
  instance.view_.opened = instance.view_.ready = true;
  instance.view_.state = engine::PodState::running;
  instance.notify();
  CHECK(manager.next().starts_with("READY=1\nSTATUS="));
  // A service that waits for another is another state to show.
  instance.view_.ready = false;
  instance.view_.services[1].state = engine::State::starting;
  instance.notify();
  CHECK(manager.next().starts_with("STATUS="));
  instance.view_.services[1].state = engine::State::backoff;
  instance.notify();
  CHECK(manager.next().starts_with("STATUS="));
  instance.view_.services[1].state = engine::State::ready;
  instance.view_.ready = true;
  instance.notify();
  CHECK(manager.next().starts_with("STATUS="));
  instance.view_.state = engine::PodState::stopping;
  instance.notify();
  CHECK(manager.next().starts_with("STOPPING=1\nSTATUS="));
}

TEST_CASE("service manager: what a full socket did not take is said again") {
  const Scratch scratch;
  const Manager manager(scratch / "notify");
  boost::asio::io_context io;
  FakeInstance instance;
  instance.view_.opened = instance.view_.ready = false;
  const ServiceManager told(io, instance, {scratch / "notify", std::nullopt});
  for (int i = 0; i < 1000; ++i) {  // nobody reads: a queue of datagrams is short
    instance.view_.services[1].state = i % 2 == 0 ? engine::State::starting : engine::State::backoff;
    instance.notify();
  }
  instance.view_.opened = instance.view_.ready = true;
  instance.notify();
  bool ready = false;
  for (std::string text = manager.next(); !text.empty(); text = manager.next())
    ready = ready || text.starts_with("READY=1\n");
  CHECK_FALSE(ready);
  instance.notify();
  CHECK(manager.next().starts_with("READY=1\n"));
}

TEST_CASE(
    "service manager: a sign of life every half of its patience, from the loop; nobody there is no harm") {
  const Scratch scratch;
  boost::asio::io_context io;
  FakeInstance instance;
  {
    const ServiceManager unheard(io, instance, {scratch / "nobody", std::chrono::microseconds(10'000)});
    io.run_for(std::chrono::milliseconds(1));
  }
  const Manager manager(scratch / "notify");
  const ServiceManager told(io, instance, {scratch / "notify", std::chrono::microseconds(10'000)});
  CHECK(manager.next().starts_with("READY=1\n"));
  int signs = 0;
  CHECK(testing::eventually([&] {
    io.run_one_for(std::chrono::milliseconds(20));
    while (manager.next() == "WATCHDOG=1\n") ++signs;
    return signs >= 3;
  }));
}

}  // namespace arizuko::tests
