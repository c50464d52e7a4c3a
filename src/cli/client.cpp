#include "client.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "arizuko/api/routes.hpp"
#include "arizuko/posix/files.hpp"

namespace arizuko::cli {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

namespace {

/// A blocking stream with a time-out, of the form Beast reads from and writes to.
class Connection {
 public:
  Connection() = default;
  explicit Connection(int descriptor) : descriptor_(descriptor) {}
  Connection(Connection&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), wait_(other.wait_) {}
  Connection& operator=(Connection&&) = delete;
  ~Connection() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  /// Sends; a peer that has sent its answer and closed already is none that failed: the answer is there.
  bool ask(std::string_view text) { return write(text) || errno == EPIPE || errno == ECONNRESET; }
  /// Zero: for ever.
  void set_wait(std::chrono::milliseconds wait) { wait_ = wait; }
  int descriptor() const { return descriptor_; }

  template <typename Buffers>
  std::size_t read_some(const Buffers& buffers, error_code& error) {
    for (auto each = asio::buffer_sequence_begin(buffers); each != asio::buffer_sequence_end(buffers);
         ++each) {
      const asio::mutable_buffer buffer(*each);
      if (buffer.size() > 0) return read_into(buffer, error);
    }
    return 0;
  }
  template <typename Buffers>
  std::size_t read_some(const Buffers& buffers) {
    error_code error;
    return read_some(buffers, error);
  }

 private:
  bool write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  std::size_t read_into(const asio::mutable_buffer& buffer, error_code& error) {
    pollfd readable{descriptor_, POLLIN, 0};
    int ready = 0;
    do {
      ready = ::poll(&readable, 1, wait_.count() == 0 ? -1 : static_cast<int>(wait_.count()));
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) {
      error = asio::error::timed_out;
      return 0;
    }
    const ssize_t got = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (got < 0) error = error_code(errno, boost::system::system_category());
    if (got == 0) error = asio::error::eof;
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }

  int descriptor_ = -1;
  std::chrono::milliseconds wait_ = Client::patience;
};

enum class Listener { process_1, another };

std::string cannot_reach(const std::string& address, std::string_view why) {
  return fmt::format("cannot reach arizuko-init at {}: {}", address, why);
}

constexpr const char* busy_listener = "whoever listens there takes no more connections";

std::string reason_of(int number) {
  switch (number) {
    case ENOENT: return "there is no such socket; is it running?";
    case ECONNREFUSED: return "nobody listens there; is it running?";
    case EACCES: return "Permission denied; call as the user it runs as, or as root";
    case EAGAIN: return busy_listener;
    default: return std::strerror(number);
  }
}

enum class Patience { full, none };

/// EAGAIN: whoever listens there has not taken those who connected before, and our patience is over.
std::expected<Connection, int> connect_to(const std::string& address, Patience wait) {
  union {
    sockaddr any;
    sockaddr_un local;
  } target{};
  target.local.sun_family = AF_UNIX;
  if (address.empty() || address.size() > sizeof target.local.sun_path - 1)
    return std::unexpected(ENAMETOOLONG);
  address.copy(target.local.sun_path, address.size());
  const bool by_path = address.front() != '@';
  if (!by_path) target.local.sun_path[0] = '\0';
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size() + (by_path ? 1 : 0));
  const int non_blocking = wait == Patience::none ? SOCK_NONBLOCK : 0;
  Connection connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | non_blocking, 0));
  // Bounds connect and send; reads wait in poll.
  const timeval patience{Client::patience.count() / 1000, 0};
  if (connection.descriptor() < 0 ||
      ::setsockopt(connection.descriptor(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
      ::connect(connection.descriptor(), &target.any, size) != 0) {
    return std::unexpected(errno);
  }
  return connection;
}

/// Who called listen(2) there: unix(7).
std::expected<ucred, std::string> listener_of(const Connection& connection) {
  ucred listener{};
  socklen_t size = sizeof listener;
  if (::getsockopt(connection.descriptor(), SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0)
    return std::unexpected(std::string("the kernel does not say who listens there"));
  return listener;
}

/// Everybody can listen on an abstract name: only the same user and root are believed. What root names,
/// root means.
std::expected<void, std::string> check_listener(const Connection& connection) {
  const auto listener = listener_of(connection);
  if (!listener) return std::unexpected(listener.error());
  if (listener->uid == ::geteuid() || listener->uid == 0 || ::geteuid() == 0) return {};
  return std::unexpected(
      fmt::format("uid {} listens there, neither you nor root: not trusted", listener->uid));
}

bool is_abstract(const std::string& address) { return address.starts_with('@'); }

/// Whether what was found by looking is to be believed. Of the abstract names root believes only root's own
/// and process 1's: any user could lead root to a socket of theirs.
std::expected<Listener, std::string> judge_found(const std::string& address, const Connection& connection) {
  const auto trusted = check_listener(connection);
  if (!trusted) return std::unexpected(trusted.error());
  const auto listener = listener_of(connection);
  if (!listener) return std::unexpected(listener.error());
  const bool process_1 = listener->pid == 1;
  if (is_abstract(address) && listener->uid != ::geteuid() && listener->uid != 0 && !process_1) {
    return std::unexpected(fmt::format(
        "uid {} listens there, neither you nor root: passed over; --control {} asks it all the same",
        listener->uid, address));
  }
  return process_1 ? Listener::process_1 : Listener::another;
}

std::expected<Connection, std::string> open(const std::string& address) {
  std::expected<Connection, int> connection = connect_to(address, Patience::full);
  if (!connection) return std::unexpected(cannot_reach(address, reason_of(connection.error())));
  const auto trusted = check_listener(*connection);
  if (!trusted) return std::unexpected(cannot_reach(address, trusted.error()));
  return std::move(*connection);
}

using Parser = http::response_parser<http::string_body>;

std::string request_text(std::string_view method, const std::string& target) {
  return fmt::format("{} {} HTTP/1.1\r\nHost: arizuko-init\r\nConnection: close\r\n{}\r\n", method, target,
                     method == "POST" ? "Content-Length: 0\r\n" : "");
}

std::string broken(const std::string& address, const error_code& error) {
  if (error == asio::error::timed_out) {
    return cannot_reach(address, fmt::format("no answer within {} ms", Client::patience.count()));
  }
  return cannot_reach(address, "the connection broke: " + error.message());
}

Reply reply_of(Parser& parser) {
  auto& message = parser.get();
  const bool well = message[api::all_well_header] == "yes";
  return {static_cast<int>(message.result_int()), std::move(message.body()), well};
}

std::expected<Reply, std::string> ask(const std::string& address, std::string_view method,
                                      const std::string& target) {
  std::expected<Connection, std::string> connection = open(address);
  if (!connection) return std::unexpected(connection.error());
  if (!connection->ask(request_text(method, target))) {
    return std::unexpected(cannot_reach(address, std::strerror(errno)));
  }
  beast::flat_buffer buffer;
  Parser parser;
  parser.body_limit(std::uint64_t{64} * 1024 * 1024);
  error_code error;
  http::read(*connection, buffer, parser, error);
  if (error) return std::unexpected(broken(address, error));
  return reply_of(parser);
}

}  // namespace

std::expected<Reply, std::string> Client::get(const std::string& target) const {
  return ask(address_, "GET", target);
}
std::expected<Reply, std::string> Client::post(const std::string& target) const {
  return ask(address_, "POST", target);
}

std::expected<Reply, std::string> Client::stream(const std::string& target, std::chrono::milliseconds wait,
                                                 const TakeLine& take) const {
  std::expected<Connection, std::string> connection = open(address_);
  if (!connection) return std::unexpected(connection.error());
  if (!connection->ask(request_text("GET", target))) {
    return std::unexpected(cannot_reach(address_, std::strerror(errno)));
  }
  beast::flat_buffer buffer;
  Parser parser;
  parser.body_limit(boost::none);
  error_code error;
  http::read_header(*connection, buffer, parser, error);
  if (error) return std::unexpected(broken(address_, error));
  if (!parser.chunked()) {
    http::read(*connection, buffer, parser, error);
    if (error) return std::unexpected(broken(address_, error));
    return reply_of(parser);
  }
  connection->set_wait(wait);
  std::string& body = parser.get().body();
  for (;;) {
    std::size_t begin = 0;
    for (std::size_t end = body.find('\n'); end != std::string::npos; end = body.find('\n', begin)) {
      if (take(std::string_view(body).substr(begin, end - begin)) == More::no) return Reply{200, {}, false};
      begin = end + 1;
    }
    body.erase(0, begin);
    if (parser.is_done()) return Reply{200, {}, false};
    http::read_some(*connection, buffer, parser, error);
    if (error == asio::error::timed_out) {
      return std::unexpected(fmt::format("nothing came from {} within {} ms", address_, wait.count()));
    }
    if (error) return std::unexpected(broken(address_, error));
  }
}

std::string encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

Places usual_places() {
  Places places{{"/run/arizuko-init"}};
  if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime != nullptr && *runtime == '/') {
    places.directories.push_back(std::string(runtime) + "/arizuko-init");
  }
  return places;
}

namespace {

/// Anybody can make a name in the abstract namespace, of any bytes: one that is not plain is not ours.
bool is_plain(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::set<std::string> candidates_at(const Places& places, Found& found) {
  std::set<std::string> candidates;
  for (const std::string& directory : places.directories) {
    std::error_code trouble;
    for (std::filesystem::directory_iterator it(directory, trouble), end; !trouble && it != end;
         it.increment(trouble)) {
      if (it->path().extension() == ".sock") candidates.insert(it->path().string());
    }
    if (trouble == std::errc::permission_denied) found.refused.push_back(directory + ": Permission denied");
  }
  // The last column of a line is the path; an abstract one begins with '@' there: proc(5).
  constexpr std::size_t most_bytes = 4 * 1024 * 1024;  // of about 40,000 sockets
  std::istringstream sockets(
      posix::read_kernel_file(AT_FDCWD, places.proc_net_unix, most_bytes).value_or(std::string()));
  for (std::string line; std::getline(sockets, line);) {
    const std::size_t at = line.rfind(" @arizuko-init/");
    if (at != std::string::npos && is_plain(line.substr(at + 1))) candidates.insert(line.substr(at + 1));
  }
  return candidates;
}

}  // namespace

Found find_control_sockets(const Places& places) {
  Found found;
  std::vector<std::string> of_process_1;
  std::vector<std::string> busy;
  const auto look = [&](const std::string& candidate, Patience patience) {
    const std::expected<Connection, int> connection = connect_to(candidate, patience);
    if (!connection) {
      if (connection.error() == EACCES) found.refused.push_back(candidate + ": Permission denied");
      if (connection.error() == EAGAIN) busy.push_back(candidate);
      return;  // else a stale file: its supervisor is dead
    }
    const auto listener = judge_found(candidate, *connection);
    if (!listener) {
      found.refused.push_back(fmt::format("{}: {}", candidate, listener.error()));
      return;
    }
    found.alive.push_back(candidate);
    if (*listener == Listener::process_1) of_process_1.push_back(candidate);
  };
  // Nobody is waited for while another one may answer: a stranger's socket that takes nobody in holds us up
  // no longer than one patience, and only when nothing else is there.
  for (const std::string& candidate : candidates_at(places, found)) look(candidate, Patience::none);
  const auto deadline = std::chrono::steady_clock::now() + Client::patience;
  for (const std::string& candidate : std::exchange(busy, {})) {
    const bool wait = found.alive.empty() && std::chrono::steady_clock::now() < deadline;
    look(candidate, wait ? Patience::full : Patience::none);
  }
  for (const std::string& candidate : busy)
    found.refused.push_back(fmt::format("{}: {}", candidate, busy_listener));
  // In a container process 1 is the instance. Whoever else listens there, a daemon of the same user even,
  // must not make us ask which one is meant.
  if (of_process_1.size() == 1) found.alive = std::move(of_process_1);
  return found;
}

}  // namespace arizuko::cli
