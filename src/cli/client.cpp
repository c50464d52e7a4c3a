#include "arizuko/cli/client.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "arizuko/api/routes.hpp"

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

  bool write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

 private:
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

std::string cannot_reach(const std::string& address, std::string_view why) {
  return fmt::format("cannot reach arizuko-init at {}: {}", address, why);
}

std::string reason_of(int number) {
  switch (number) {
    case ENOENT: return "there is no such socket; is it running?";
    case ECONNREFUSED: return "nobody listens there; is it running?";
    case EACCES: return "Permission denied; call as the user it runs as, or as root";
    default: return std::strerror(number);
  }
}

std::expected<Connection, int> connect_to(const std::string& address) {
  union {
    sockaddr any;
    sockaddr_un local;
  } target{};
  target.local.sun_family = AF_UNIX;
  if (address.empty() || address.size() > sizeof target.local.sun_path - 1)
    return std::unexpected(ENAMETOOLONG);
  address.copy(target.local.sun_path, address.size());
  const bool is_abstract = address.front() == '@';
  if (is_abstract) target.local.sun_path[0] = '\0';
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size() + (is_abstract ? 0 : 1));
  Connection connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connection.descriptor() < 0 || ::connect(connection.descriptor(), &target.any, size) != 0) {
    return std::unexpected(errno);
  }
  // Bounds connect and send; reads wait in poll.
  const timeval patience{Client::patience.count() / 1000, 0};
  ::setsockopt(connection.descriptor(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  return connection;
}

/// Everybody can listen on an abstract name: only the same user and root are believed, and root, who
/// can be anybody, believes all.
std::expected<void, std::string> check_listener(const Connection& connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(connection.descriptor(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return std::unexpected(std::string("the kernel does not say who listens there"));
  }
  if (peer.uid == ::geteuid() || peer.uid == 0 || ::geteuid() == 0) return {};
  return std::unexpected(fmt::format("uid {} listens there, neither you nor root: not trusted", peer.uid));
}

std::expected<Connection, std::string> open(const std::string& address) {
  std::expected<Connection, int> connection = connect_to(address);
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
  if (!connection->write(request_text(method, target))) {
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
  if (!connection->write(request_text("GET", target))) {
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

Found find_control_sockets(const Places& places) {
  std::set<std::string> candidates;
  Found found;
  for (const std::string& directory : places.directories) {
    std::error_code trouble;
    for (std::filesystem::directory_iterator it(directory, trouble), end; !trouble && it != end;
         it.increment(trouble)) {
      if (it->path().extension() == ".sock") candidates.insert(it->path().string());
    }
    if (trouble == std::errc::permission_denied) found.refused.push_back(directory + ": Permission denied");
  }
  // The last column of a line is the path; an abstract one begins with '@' there: proc(5).
  std::ifstream sockets(places.proc_net_unix);
  for (std::string line; std::getline(sockets, line);) {
    const std::size_t at = line.rfind(" @arizuko-init/");
    if (at != std::string::npos) candidates.insert(line.substr(at + 1));
  }
  for (const std::string& candidate : candidates) {
    const std::expected<Connection, int> connection = connect_to(candidate);
    if (!connection) {
      if (connection.error() == EACCES) found.refused.push_back(candidate + ": Permission denied");
      continue;  // a stale file: its supervisor is dead
    }
    const auto trusted = check_listener(*connection);
    if (trusted)
      found.alive.push_back(candidate);
    else
      found.refused.push_back(fmt::format("{}: {}", candidate, trusted.error()));
  }
  return found;
}

}  // namespace arizuko::cli
