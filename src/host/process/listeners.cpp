#include "arizuko/host/process/listeners.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc_fs.hpp"

namespace arizuko::host {
namespace {

// Much more than a pod can have; a line of /proc/net/tcp is 150 bytes.
constexpr std::size_t longest_table_bytes = 64 * 1024 * 1024;

/// Any IP address in the form of IPv6; IPv4 is ::ffff:a.b.c.d.
using Ip = std::array<unsigned char, 16>;

constexpr Ip any_v6{};
constexpr Ip any_v4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
constexpr Ip loopback_v6{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr Ip loopback_v4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};

bool is_v4(const Ip& ip) { return std::equal(ip.begin(), ip.begin() + 12, any_v4.begin()); }

/// What a connection to `address` really goes to: the wildcard means this host.
std::optional<Ip> target(const std::string& address) {
  Ip ip = any_v4;
  if (::inet_pton(AF_INET, address.c_str(), ip.data() + 12) == 1) return ip == any_v4 ? loopback_v4 : ip;
  if (::inet_pton(AF_INET6, address.c_str(), ip.data()) == 1) return ip == any_v6 ? loopback_v6 : ip;
  return std::nullopt;
}

/// The next blank-separated word of `line`, taken off its front.
std::string_view take_word(std::string_view& line) {
  const std::size_t from = std::min(line.find_first_not_of(' '), line.size());
  const std::size_t to = std::min(line.find(' ', from), line.size());
  const std::string_view word = line.substr(from, to - from);
  line.remove_prefix(to);
  return word;
}

template <typename Number>
std::optional<Number> parse(std::string_view word, int base) {
  Number value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return value;
}

/// /proc/net prints each 32-bit word of an address, which is in network order, as a number of the host.
std::optional<Ip> parse_ip(std::string_view hex) {
  if (hex.size() != 8 && hex.size() != 32) return std::nullopt;
  Ip ip = any_v4;
  unsigned char* to = ip.data() + (hex.size() == 8 ? 12 : 0);
  for (std::size_t at = 0; at < hex.size(); at += 8, to += 4) {
    const auto word = parse<std::uint32_t>(hex.substr(at, 8), 16);
    if (!word) return std::nullopt;
    std::memcpy(to, &*word, sizeof *word);
  }
  return ip;
}

/// False when there is no such table to read.
template <typename Use>
bool each_line(const char* path, Use use) {
  const auto table = read_whole(path, longest_table_bytes);
  if (!table) return false;
  std::string_view rest = *table;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    use(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return true;
}

struct TcpListener {
  Ip ip{};
  std::uint64_t inode = 0;
};

/// `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode`: proc(5).
std::optional<TcpListener> parse_listener(std::string_view line, std::uint16_t port) {
  take_word(line);
  const std::string_view local = take_word(line);
  take_word(line);
  if (take_word(line) != "0A") return std::nullopt;  // TCP_LISTEN
  const std::size_t colon = local.find(':');
  if (colon == local.npos || parse<std::uint16_t>(local.substr(colon + 1), 16) != port) return std::nullopt;
  for (int skipped = 0; skipped < 5; ++skipped) take_word(line);
  const auto ip = parse_ip(local.substr(0, colon));
  const auto inode = parse<std::uint64_t>(take_word(line), 10);
  if (!ip || !inode) return std::nullopt;
  return TcpListener{*ip, *inode};
}

bool same_file(const std::string& left, const std::string& right) {
  struct stat a{};
  struct stat b{};
  return ::stat(left.c_str(), &a) == 0 && ::stat(right.c_str(), &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

/// Whether the kernel has named a socket to this process: then it has what it takes to say that there is
/// none.
bool kernel_tells = false;

/// Asks the kernel for the socket that a connection to `ip` would reach: sock_diag(7), by its own look-up,
/// in microseconds. /proc/net/tcp walks the whole hash of connections of the machine, which takes 10 ms
/// and more where there is much memory. nullopt: the kernel does not answer such questions here.
std::optional<std::vector<std::uint64_t>> ask_kernel(const Ip& ip, std::uint16_t port) {
  struct {
    nlmsghdr header{};
    inet_diag_req_v2 question{};
  } request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.question.sdiag_family = is_v4(ip) ? AF_INET : AF_INET6;
  request.question.sdiag_protocol = IPPROTO_TCP;
  request.question.idiag_states = 1U << TCP_LISTEN;
  // The other end is us with port 0, which no connection has: a listener is what is found.
  request.question.id.idiag_sport = htons(port);
  std::memcpy(request.question.id.idiag_src, ip.data() + (is_v4(ip) ? 12 : 0), is_v4(ip) ? 4 : 16);
  std::memcpy(request.question.id.idiag_dst, ip.data() + (is_v4(ip) ? 12 : 0), is_v4(ip) ? 4 : 16);
  request.question.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request.question.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;

  const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (socket < 0) return std::nullopt;
  alignas(nlmsghdr) std::array<char, 4096> answer{};
  const bool sent = ::send(socket, &request, sizeof request, 0) == sizeof request;
  const ssize_t got = sent ? ::recv(socket, answer.data(), answer.size(), MSG_DONTWAIT) : -1;
  ::close(socket);  // the kernel answers within send
  nlmsghdr header{};
  if (got < static_cast<ssize_t>(sizeof header)) return std::nullopt;
  std::memcpy(&header, answer.data(), sizeof header);
  const char* payload = answer.data() + NLMSG_HDRLEN;
  const auto length = static_cast<std::size_t>(got) - NLMSG_HDRLEN;
  if (header.nlmsg_type == NLMSG_ERROR && length >= sizeof(nlmsgerr)) {
    nlmsgerr failure{};
    std::memcpy(&failure, payload, sizeof failure);
    // Nobody listens; or nobody can tell: a kernel without the module tcp_diag says the same (sock_diag(7)).
    if (failure.error == -ENOENT && kernel_tells) return std::vector<std::uint64_t>{};
    return std::nullopt;
  }
  inet_diag_msg found{};
  if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY || length < sizeof found) return std::nullopt;
  std::memcpy(&found, payload, sizeof found);
  if (found.idiag_state != TCP_LISTEN) return std::nullopt;
  kernel_tells = true;
  return std::vector<std::uint64_t>{found.idiag_inode};
}

std::optional<std::vector<std::uint64_t>> read_tables(const Ip& ip, std::uint16_t port) {
  std::vector<TcpListener> listening;
  const auto collect = [&](std::string_view line) {
    if (const auto one = parse_listener(line, port)) listening.push_back(*one);
  };
  const bool v4 = is_v4(ip) && each_line("/proc/net/tcp", collect);
  const bool v6 = each_line("/proc/net/tcp6", collect);  // not there where IPv6 is off
  if (!v4 && !v6) return std::nullopt;

  // As the kernel chooses: the address itself, the wildcard of its family, then "::", which serves
  // IPv4 too unless it is v6only; and it must be v6only when 0.0.0.0 is bound beside it.
  std::vector<std::uint64_t> inodes;
  for (const Ip& bound : {ip, is_v4(ip) ? any_v4 : any_v6, any_v6}) {
    for (const TcpListener& one : listening) {
      if (one.ip == bound) inodes.push_back(one.inode);
    }
    if (!inodes.empty()) break;
  }
  return inodes;
}

}  // namespace

Inodes find_tcp_listeners(const std::string& address, std::uint16_t port) {
  const auto ip = target(address);
  if (!ip) return std::vector<std::uint64_t>{};
  if (auto inodes = ask_kernel(*ip, port)) return inodes;
  return read_tables(*ip, port);
}

std::vector<std::uint64_t> tcp_listeners(const std::string& address, std::uint16_t port) {
  return find_tcp_listeners(address, port).value_or(std::vector<std::uint64_t>{});
}

std::optional<std::vector<std::uint64_t>> tcp_listeners_by_table(const std::string& address,
                                                                 std::uint16_t port) {
  const auto ip = target(address);
  return ip ? read_tables(*ip, port) : std::vector<std::uint64_t>{};
}

Inodes find_unix_listeners(const std::string& path) {
  std::vector<std::uint64_t> exact;
  std::vector<std::pair<std::string, std::uint64_t>> others;
  const std::string base = path.substr(path.rfind('/') + 1);
  // `Num RefCount Protocol Flags Type St Inode Path`: proc(5). A path may hold blanks.
  const bool shown = each_line("/proc/net/unix", [&](std::string_view line) {
    for (int skipped = 0; skipped < 3; ++skipped) take_word(line);
    const auto flags = parse<std::uint32_t>(take_word(line), 16);
    constexpr std::uint32_t accepts_connections = 0x10000;                                   // __SO_ACCEPTCON
    if (!flags || (*flags & accepts_connections) == 0 || take_word(line) != "0001") return;  // SOCK_STREAM
    take_word(line);
    const auto inode = parse<std::uint64_t>(take_word(line), 10);
    if (!inode || line.size() < 2) return;
    const std::string_view bound = line.substr(1);
    if (bound == path) {
      exact.push_back(*inode);
    } else if (bound.starts_with('/') && bound.ends_with(base)) {
      others.emplace_back(bound, *inode);
    }
  });
  if (!shown) return std::nullopt;
  if (!exact.empty()) return exact;
  // Bound through another spelling of the path: a symbolic link, "//", "..".
  for (const auto& [bound, inode] : others) {
    if (same_file(bound, path)) exact.push_back(inode);
  }
  return exact;
}

std::vector<std::uint64_t> unix_listeners(const std::string& path) {
  return find_unix_listeners(path).value_or(std::vector<std::uint64_t>{});
}

bool holds_any(std::span<const pid_t> pids, std::span<const std::uint64_t> inodes) {
  return find_held(pids, inodes).held.has_value();
}

std::optional<Holder> find_holder(std::span<const std::uint64_t> inodes) {
  const auto held = find_held(all_processes(), inodes).held;
  if (!held) return std::nullopt;
  const auto stat = read_stat(held->pid);
  return Holder{held->pid, stat ? stat->name : "?"};
}

}  // namespace arizuko::host
