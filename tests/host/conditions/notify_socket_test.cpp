#include "host/conditions/notify_socket.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/host_test_tools.hpp"

using namespace arizuko::host;
using namespace arizuko::host::testing;

namespace {

bool send_to(const std::string& address, const std::string& text, int with_descriptor = -1) {
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::ranges::copy(address, name.sun_path);
  name.sun_path[0] = '\0';
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr message{};
  message.msg_name = &name;
  message.msg_namelen = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (with_descriptor >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(head), &with_descriptor, sizeof with_descriptor);
  }
  const ssize_t sent = ::sendmsg(socket, &message, MSG_DONTWAIT);
  ::close(socket);
  return sent == std::ssize(text);
}

struct Receiver {
  boost::asio::io_context io{1};
  std::vector<Notification> received;
  NotifySocket socket{io, [this](const Notification& one) { received.push_back(one); }};
  bool receives(std::size_t count) {
    return eventually([&] { return io.poll(), received.size() >= count; });
  }
};

}  // namespace

TEST_CASE("notify socket: READY=1 arrives with the sender that the kernel names") {
  Receiver receiver;
  CHECK(receiver.socket.address().starts_with("@arizuko-init/notify/" + std::to_string(::getpid()) + "-"));
  const pid_t child = ::fork();
  if (child == 0)
    ::_exit(send_to(receiver.socket.address(), "STATUS=up and\x1b[31m well\nREADY=1\nMAINPID=1") ? 0 : 1);
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  REQUIRE(receiver.receives(1));
  CHECK(receiver.received[0].sender == child);
  CHECK(receiver.received[0].ready);
  CHECK_FALSE(receiver.received[0].stopping);
  CHECK(receiver.received[0].status == "up and[31m well");
}

TEST_CASE(
    "notify socket: READY=1 is read before CR LF, blanks and the NUL of a C string, and is not read into "
    "words") {
  Receiver receiver;
  for (const std::string& text :
       {std::string("READY=1\r\n"), std::string("STATUS=up\r\nREADY=1\r\n"), std::string("READY=1 \n"),
        std::string("READY=1\0", 8), std::string("READY=1\n\0", 9)}) {
    receiver.received.clear();
    CHECK(send_to(receiver.socket.address(), text));
    REQUIRE(receiver.receives(1));
    CHECK(receiver.received[0].ready);
    CHECK(receiver.received[0].uid == ::geteuid());
  }
  receiver.received.clear();
  CHECK(send_to(receiver.socket.address(), "READY=10\nXREADY=1\nSTATUS=READY=1"));
  REQUIRE(receiver.receives(1));
  CHECK_FALSE(receiver.received[0].ready);
}

TEST_CASE("notify socket: READY=1 behind a STATUS of 20 kB is read") {
  Receiver receiver;
  CHECK(send_to(receiver.socket.address(), "STATUS=" + std::string(20'000, 's') + "\nREADY=1"));
  CHECK(send_to(receiver.socket.address(), "STOPPING=1\nSTATUS=" + std::string(255, 's') + "\u20ac"));
  REQUIRE(receiver.receives(2));
  CHECK(receiver.received[0].ready);
  CHECK(receiver.received[0].left_out == 0);
  CHECK(receiver.received[0].status == std::string(256, 's'));
  CHECK_FALSE(receiver.received[1].ready);
  CHECK(receiver.received[1].stopping);
  CHECK(receiver.received[1].status == std::string(255, 's'));
}

TEST_CASE(
    "notify socket: of a message that is too long the whole lines before the cut are read, and the rest is "
    "counted") {
  Receiver receiver;
  const std::string status = "STATUS=" + std::string(longest_notification_bytes, 's');
  CHECK(send_to(receiver.socket.address(), "READY=1\n" + status));
  CHECK(send_to(receiver.socket.address(), status + "\nREADY=1"));
  REQUIRE(receiver.receives(2));
  CHECK(receiver.received[0].ready);
  CHECK(receiver.received[0].left_out == status.size());
  CHECK_FALSE(receiver.received[1].ready);
  CHECK(receiver.received[1].left_out == status.size() + 8);
}

TEST_CASE("notify socket: what has come in can be read without waiting for the loop") {
  Receiver receiver;
  CHECK(send_to(receiver.socket.address(), "READY=1"));
  receiver.socket.drain();
  REQUIRE(receiver.received.size() == 1);
  CHECK(receiver.received[0].ready);
}

TEST_CASE("notify socket: a descriptor that comes along is closed, so that BARRIER=1 returns") {
  Receiver receiver;
  int barrier[2];
  REQUIRE(::pipe2(barrier, O_CLOEXEC) == 0);
  CHECK(send_to(receiver.socket.address(), "BARRIER=1", barrier[1]));
  ::close(barrier[1]);
  REQUIRE(receiver.receives(1));
  pollfd end{barrier[0], POLLIN, 0};
  CHECK(::poll(&end, 1, 1000) == 1);
  CHECK((end.revents & POLLHUP) != 0);
  ::close(barrier[0]);
}

TEST_CASE("notify socket: it may be destroyed from its own callback") {
  boost::asio::io_context io{1};
  std::optional<NotifySocket> socket;
  int received = 0;
  socket.emplace(io, [&](const Notification&) {
    ++received;
    socket.reset();
  });
  const std::string address = socket->address();
  CHECK(send_to(address, "READY=1"));
  CHECK(send_to(address, "READY=1"));
  CHECK(eventually([&] { return io.poll(), received > 0; }));
  io.poll();
  CHECK(received == 1);
  CHECK_FALSE(send_to(address, "READY=1"));
}
