#include "arizuko/host/process/listeners.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/host_test_tools.hpp"
#include "host/process/proc_fs.hpp"
#include "root.hpp"

using namespace arizuko::host;
using namespace arizuko::host::testing;

namespace {

struct Listening {
  explicit Listening(const char* ip, bool v6_only = false) {
    const bool v6 = std::string_view(ip).contains(':');
    descriptor = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    if (v6) {
      const int only = v6_only ? 1 : 0;
      ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
      auto* to = reinterpret_cast<sockaddr_in6*>(&name);
      to->sin6_family = AF_INET6;
      ::inet_pton(AF_INET6, ip, &to->sin6_addr);
      length = sizeof *to;
    } else {
      auto* to = reinterpret_cast<sockaddr_in*>(&name);
      to->sin_family = AF_INET;
      ::inet_pton(AF_INET, ip, &to->sin_addr);
      length = sizeof *to;
    }
    good =
        ::bind(descriptor, reinterpret_cast<sockaddr*>(&name), length) == 0 && ::listen(descriptor, 8) == 0;
    length = sizeof name;
    ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &length);
    port = ntohs(v6 ? reinterpret_cast<sockaddr_in6*>(&name)->sin6_port
                    : reinterpret_cast<sockaddr_in*>(&name)->sin_port);
  }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;
  ~Listening() { ::close(descriptor); }
  int descriptor = -1;
  std::uint16_t port = 0;
  bool good = false;
};

/// A network with nothing but a loopback, as long as it lives; no other where it has IPv6 already.
class OwnNetwork {
 public:
  OwnNetwork() {
    if (Listening("::1").good) return;
    arizuko::testing::needs_root();
    before_ = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    REQUIRE(::unshare(CLONE_NEWNET) == 0);
    ifreq loopback{};
    std::strcpy(loopback.ifr_name, "lo");
    loopback.ifr_flags = IFF_UP;
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(::ioctl(socket, SIOCSIFFLAGS, &loopback) == 0);
    ::close(socket);
    arizuko::testing::needs(Listening("::1").good, "IPv6 in its kernel");
  }
  ~OwnNetwork() {
    if (before_ < 0) return;
    ::setns(before_, CLONE_NEWNET);
    ::close(before_);
  }
  OwnNetwork(const OwnNetwork&) = delete;
  OwnNetwork& operator=(const OwnNetwork&) = delete;

 private:
  int before_ = -1;
};

const pid_t self[] = {::getpid()};

}  // namespace

TEST_CASE("listeners: a socket bound to the address or to the wildcard is found, of v4 and v6") {
  const auto reached = [](const char* bound, const char* address, bool v6_only = false) {
    const Listening socket(bound, v6_only);
    REQUIRE(socket.good);
    const auto inodes = tcp_listeners(address, socket.port);
    CHECK(holds_any(self, inodes) == !inodes.empty());
    CHECK(tcp_listeners_by_table(address, socket.port) == inodes);
    return inodes.size() == 1;
  };
  CHECK(reached("127.0.0.1", "127.0.0.1"));
  CHECK(reached("0.0.0.0", "127.0.0.1"));
  CHECK_FALSE(reached("127.0.0.2", "127.0.0.1"));
  CHECK(reached("127.0.0.1", "0.0.0.0"));  // a connection to the wildcard goes to this host
  const OwnNetwork network;                // with IPv6, which a container may lack
  CHECK(reached("::", "127.0.0.1"));
  CHECK(reached("::", "::1"));
  CHECK(reached("::1", "::1"));
  CHECK(reached("::ffff:127.0.0.1", "127.0.0.1"));
  CHECK_FALSE(reached("::1", "127.0.0.1"));
  CHECK_FALSE(reached("0.0.0.0", "::1"));
  const Listening only("::", true);  // the table does not tell v6only: sock_diag does
  CHECK(tcp_listeners("127.0.0.1", only.port).empty());
  CHECK(tcp_listeners("::1", only.port).size() == 1);
}

TEST_CASE("listeners: a bound socket that does not listen, and no address at all, are nobody") {
  const int idle = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof name;
  REQUIRE(::bind(idle, reinterpret_cast<sockaddr*>(&name), length) == 0);
  ::getsockname(idle, reinterpret_cast<sockaddr*>(&name), &length);
  CHECK(tcp_listeners("127.0.0.1", ntohs(name.sin_port)).empty());
  CHECK(tcp_listeners("localhost", ntohs(name.sin_port)).empty());
  ::close(idle);
  CHECK_FALSE(holds_any(self, {}));
  CHECK_FALSE(find_holder({}).has_value());
}

TEST_CASE("listeners: the holder in another process is named") {
  pid_t child = 0;
  std::vector<std::uint64_t> inodes;
  {
    const Listening socket("127.0.0.1");
    child = ::fork();
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
    inodes = tcp_listeners("127.0.0.1", socket.port);
  }
  const pid_t children[] = {child};
  CHECK_FALSE(holds_any(self, inodes));
  CHECK(holds_any(children, inodes));
  const auto holder = find_holder(inodes);
  REQUIRE(holder.has_value());
  CHECK(holder->pid == child);
  CHECK_FALSE(holder->name.empty());
  const auto held = find_held(children, inodes).held;
  REQUIRE(held.has_value());
  CHECK(still_held(*held));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK_FALSE(still_held(*held));
}

TEST_CASE("listeners: a unix socket is found by its path, spelled this way or that") {
  Scratch scratch;
  const std::string path = scratch / "a socket.sock";
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::ranges::copy(path, name.sun_path);
  REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0);
  CHECK(unix_listeners(path).empty());  // bound, but not listening
  REQUIRE(::listen(socket, 1) == 0);
  CHECK(unix_listeners(path).size() == 1);
  CHECK(holds_any(self, unix_listeners(path)));
  CHECK(
      holds_any(self, unix_listeners(scratch.path() + "/../" + scratch.path().substr(5) + "/a socket.sock")));
  CHECK(unix_listeners(scratch / "other.sock").empty());
  ::close(socket);
  CHECK(unix_listeners(path).empty());
}
