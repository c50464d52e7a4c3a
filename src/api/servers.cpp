// Opens the listening sockets and ties them to their routes.
#include "arizuko/api/servers.hpp"

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/host/process/listeners.hpp"
#include "arizuko/posix/descriptor.hpp"
#include "arizuko/posix/unix_address.hpp"
#include "http_server.hpp"

namespace arizuko::api {

namespace {

using posix::Descriptor;

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
  sockaddr_storage storage;
};

std::string reason() { return std::strerror(errno); }

// ---------------------------------------------------------------------------------------------
// TCP

std::string tcp_text(const plan::Address& address) {
  const bool v6 = address.ip.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", address.ip, address.port)
            : fmt::format("{}:{}", address.ip, address.port);
}

std::string tcp_problem(const plan::Address& address) {
  const int why = errno;
  std::string sentence = fmt::format("cannot listen on {}: {}", tcp_text(address), std::strerror(why));
  if (why == EADDRINUSE) {
    const auto inodes = host::tcp_listeners(address.ip, address.port);
    if (const auto holder = host::find_holder(inodes)) {
      sentence += fmt::format(" (held by {}, pid {})", holder->name, holder->pid);
    }
  }
  return sentence;
}

// How many may wait for one turn of the loop to take them: a turn that is slow must not cost the kubelet its
// connection, which would be tried again after a second only.
constexpr int backlog = 1024;

bool set(int descriptor, int level, int option, int value) {
  return ::setsockopt(descriptor, level, option, &value, sizeof value) == 0;
}

/// What is accepted inherits all of it: tcp(7), socket(7).
bool set_options(int descriptor, int family, const Limits& limits) {
  // "::" is IPv4, too, whatever net.ipv6.bindv6only says: the kubelet asks at the pod's address of either
  // kind.
  if (family == AF_INET6 && !set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0)) return false;
  // After a close, too, the kernel keeps what was not acknowledged no longer than this.
  return set(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(limits.patience.count())) &&
         set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) &&
         set(descriptor, SOL_SOCKET, SO_SNDBUF, limits.socket_bytes) &&
         set(descriptor, SOL_SOCKET, SO_RCVBUF, limits.socket_bytes);
}

std::expected<Descriptor, std::string> listen_tcp(const plan::Address& address, int& family,
                                                  const Limits& limits) {
  SocketAddress socket_address{};
  socklen_t size = 0;
  if (::inet_pton(AF_INET, address.ip.c_str(), &socket_address.v4.sin_addr) == 1) {
    socket_address.v4.sin_family = AF_INET;
    socket_address.v4.sin_port = htons(address.port);
    size = sizeof socket_address.v4;
  } else if (::inet_pton(AF_INET6, address.ip.c_str(), &socket_address.v6.sin6_addr) == 1) {
    socket_address.v6.sin6_family = AF_INET6;
    socket_address.v6.sin6_port = htons(address.port);
    size = sizeof socket_address.v6;
  } else {
    return std::unexpected(fmt::format("cannot listen on {}: not a numeric address", tcp_text(address)));
  }
  family = socket_address.any.sa_family;
  Descriptor descriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (descriptor.get() < 0 || !set_options(descriptor.get(), family, limits) ||
      ::bind(descriptor.get(), &socket_address.any, size) != 0 || ::listen(descriptor.get(), backlog) != 0) {
    return std::unexpected(tcp_problem(address));
  }
  return descriptor;
}

std::uint16_t bound_port(int descriptor) {
  SocketAddress address{};
  socklen_t size = sizeof address;
  if (::getsockname(descriptor, &address.any, &size) != 0) return 0;
  return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

// Both read-only servers are the same but for their route.
template <typename Interface>
class TcpServer final : public Interface {
 public:
  TcpServer(std::shared_ptr<HttpServer> server, std::uint16_t port)
      : server_(std::move(server)), port_(port) {
    server_->start();
  }
  ~TcpServer() override { server_->close(); }
  std::uint16_t port() const override { return port_; }

 private:
  std::shared_ptr<HttpServer> server_;
  std::uint16_t port_;
};

template <typename Interface>
std::expected<std::unique_ptr<Interface>, std::string> serve_tcp(
    boost::asio::io_context& io, const plan::Address& address, host::Instance& instance, const Limits& limits,
    Response (*route)(const Request&, const host::Instance&)) {
  int family = AF_INET;
  std::expected<Descriptor, std::string> descriptor = listen_tcp(address, family, limits);
  if (!descriptor) return std::unexpected(std::move(descriptor.error()));
  const std::uint16_t port = bound_port(descriptor->get());
  auto server = std::make_shared<HttpServer>(
      io, family, descriptor->release(), instance,
      [&instance, route](const Request& request) { return route(request, instance); }, nullptr, limits);
  return std::make_unique<TcpServer<Interface>>(std::move(server), port);
}

// ---------------------------------------------------------------------------------------------
// The control socket

/// Refuses everybody but the same user and root: SO_PEERCRED is what the kernel says of the one who
/// connected (unix(7)). An abstract socket has no mode that would do it.
Caller admit_peer(int descriptor) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return {"", "the kernel does not say who you are: " + reason()};
  }
  if (peer.uid != ::geteuid() && peer.uid != 0) {
    return {"", fmt::format("uid {} may not control an instance of uid {}: call as that user or as root",
                            peer.uid, ::geteuid())};
  }
  return {fmt::format("operator (uid {})", peer.uid), ""};
}

std::string control_problem(const std::string& address) {
  return fmt::format("cannot listen on control socket {}: {}", address, reason());
}

void make_last_directory(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return;
  // Of root's directory others may see the names; the sockets in it are 0600.
  ::mkdir(path.substr(0, slash).c_str(), ::geteuid() == 0 ? 0755 : 0700);
}

/// Removes the file of a dead supervisor. The error names a living one, or what else is there.
std::expected<void, std::string> clear_stale(const std::string& path, const posix::UnixAddress& address) {
  struct stat found{};
  if (::lstat(path.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode)) {
    return std::unexpected(fmt::format(
        "cannot listen on control socket {}: there is a file of another kind; move it away", path));
  }
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.get() >= 0 && ::connect(probe.get(), address.get(), address.size()) != 0 &&
      errno == ECONNREFUSED) {
    if (::unlink(path.c_str()) == 0) return {};
    return std::unexpected(fmt::format("cannot remove the stale control socket {}: {}", path, reason()));
  }
  ucred peer{};
  socklen_t peer_size = sizeof peer;
  const bool known =
      ::getsockopt(probe.get(), SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) == 0 && peer.pid > 0;
  return std::unexpected(fmt::format("cannot listen on control socket {}: another one listens there{}", path,
                                     known ? fmt::format(" (pid {})", peer.pid) : ""));
}

struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

FileIdentity identity(const std::string& path) {
  struct stat found{};
  if (path.starts_with('@') || ::lstat(path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino};
}

std::expected<Descriptor, std::string> listen_local(const std::string& address) {
  const auto local = posix::UnixAddress::of(address);
  if (!local) {
    return std::unexpected(
        fmt::format("cannot listen on control socket {}: its name has {} bytes and may have 1 to {}", address,
                    address.size(), posix::UnixAddress::most_bytes));
  }
  if (local->is_path()) {
    make_last_directory(address);
    const auto cleared = clear_stale(address, *local);
    if (!cleared) return std::unexpected(cleared.error());
  }
  Descriptor descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (descriptor.get() < 0) return std::unexpected(control_problem(address));
  const mode_t before = ::umask(0177);  // the file is never there with another mode than 0600
  const int bound = ::bind(descriptor.get(), local->get(), local->size());
  const int why = errno;
  ::umask(before);
  errno = why;
  if (bound != 0 || ::listen(descriptor.get(), backlog) != 0)
    return std::unexpected(control_problem(address));
  return descriptor;
}

class LocalServer final : public ControlServer {
 public:
  LocalServer(std::shared_ptr<HttpServer> server, std::string path)
      : server_(std::move(server)), path_(std::move(path)), file_(identity(path_)) {
    server_->start();
  }
  ~LocalServer() override {
    server_->close();
    // Only our own file: somebody may have put another there.
    if (file_ != FileIdentity{} && identity(path_) == file_) ::unlink(path_.c_str());
  }
  bool busy() const override { return server_->busy(); }

 private:
  std::shared_ptr<HttpServer> server_;
  std::string path_;
  FileIdentity file_;
};

}  // namespace

std::expected<std::unique_ptr<ProbeServer>, std::string> ProbeServer::listen(boost::asio::io_context& io,
                                                                             const plan::Address& address,
                                                                             host::Instance& instance,
                                                                             const Limits& limits) {
  return serve_tcp<ProbeServer>(io, address, instance, limits, probe_route);
}

std::expected<std::unique_ptr<PageServer>, std::string> PageServer::listen(boost::asio::io_context& io,
                                                                           const plan::Address& address,
                                                                           host::Instance& instance,
                                                                           const Limits& limits) {
  return serve_tcp<PageServer>(io, address, instance, limits, page_route);
}

std::expected<std::unique_ptr<ControlServer>, std::string> ControlServer::listen(boost::asio::io_context& io,
                                                                                 const std::string& address,
                                                                                 host::Instance& instance,
                                                                                 const Limits& limits) {
  std::expected<Descriptor, std::string> descriptor = listen_local(address);
  if (!descriptor) return std::unexpected(std::move(descriptor.error()));
  auto server = std::make_shared<HttpServer>(
      io, AF_UNIX, descriptor->release(), instance,
      [&instance](const Request& request) { return control_route(request, instance); }, admit_peer, limits);
  return std::make_unique<LocalServer>(std::move(server), address);
}

std::vector<std::string> control_addresses(const std::string& wanted, const std::string& run_dir,
                                           const std::string& instance, const std::string& runtime_dir,
                                           int pid) {
  if (!wanted.empty()) return {wanted};
  std::vector<std::string> addresses;
  if (!run_dir.empty()) {
    addresses.push_back(fmt::format("{}/{}.sock", run_dir, instance));
  } else {
    addresses.push_back(fmt::format("/run/arizuko-init/{}.sock", instance));
    if (!runtime_dir.empty())
      addresses.push_back(fmt::format("{}/arizuko-init/{}.sock", runtime_dir, instance));
  }
  addresses.push_back(fmt::format("@arizuko-init/{}", instance));
  addresses.push_back(fmt::format("@arizuko-init/{}-{}", instance, pid));
  return addresses;
}

}  // namespace arizuko::api
