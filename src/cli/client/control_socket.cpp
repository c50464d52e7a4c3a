#include "control_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arizuko/posix/files.hpp"
#include "arizuko/posix/unix_address.hpp"

namespace arizuko::cli {

namespace {

constexpr std::chrono::milliseconds at_once{0};

enum class Listener { process_1, another };

constexpr const char* busy_listener = "its listener accepts no more connections";

std::string reason_of(int number) {
  switch (number) {
    case ENOENT: return "there is no such socket; is it running?";
    case ECONNREFUSED: return "nobody listens there; is it running?";
    case EACCES: return "Permission denied; call as the user it runs as, or as root";
    case EAGAIN: return busy_listener;
    default: return std::strerror(number);
  }
}

/// EAGAIN: whoever listens there has not taken those who connected before, and our patience is over.
std::expected<Connection, int> connect_to(const std::string& address, std::chrono::milliseconds wait) {
  const auto target = posix::UnixAddress::of(address);
  if (!target) return std::unexpected(ENAMETOOLONG);
  return Connection::open(*target->get(), target->size(), {.connect = wait, .each = patience});
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

}  // namespace

std::expected<Connection, std::string> open_control_socket(const std::string& address) {
  std::expected<Connection, int> connection = connect_to(address, patience);
  if (!connection) return std::unexpected(reason_of(connection.error()));
  const auto trusted = check_listener(*connection);
  if (!trusted) return std::unexpected(trusted.error());
  return std::move(*connection);
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
  const auto look = [&](const std::string& candidate, std::chrono::milliseconds wait) {
    const std::expected<Connection, int> connection = connect_to(candidate, wait);
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
  for (const std::string& candidate : candidates_at(places, found)) look(candidate, at_once);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (const std::string& candidate : std::exchange(busy, {})) {
    const bool wait = found.alive.empty() && std::chrono::steady_clock::now() < deadline;
    look(candidate, wait ? patience : at_once);
  }
  for (const std::string& candidate : busy)
    found.refused.push_back(fmt::format("{}: {}", candidate, busy_listener));
  // In a container process 1 is the instance. Whoever else listens there, a daemon of the same user even,
  // must not make us ask which one is meant.
  if (of_process_1.size() == 1) found.alive = std::move(of_process_1);
  return found;
}

}  // namespace arizuko::cli
