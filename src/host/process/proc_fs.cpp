#include "proc_fs.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arizuko/posix/files.hpp"
#include "arizuko/posix/owners_eyes.hpp"

namespace arizuko::host {
namespace {

class Folder {
 public:
  explicit Folder(const char* path) : stream_(::opendir(path)) {}
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    if (stream_ != nullptr) ::closedir(stream_);
  }
  bool open() const { return stream_ != nullptr; }
  int descriptor() const { return ::dirfd(stream_); }
  const dirent* next() { return ::readdir(stream_); }

 private:
  DIR* stream_;
};

/// A path below /proc, without an allocation.
struct ProcPath {
  char text[64];
  ProcPath(pid_t pid, const char* rest) { std::snprintf(text, sizeof text, "/proc/%d/%s", pid, rest); }
};

template <typename Number>
std::optional<Number> to_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Appends the numbers of a space-separated file. False when it cannot be opened.
bool append_pids(const char* path, std::vector<pid_t>& pids) {
  const posix::Descriptor file(::open(path, O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return false;
  char buffer[16 * 1024];
  pid_t number = 0;
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    for (const char* at = buffer; at != buffer + got; ++at) {  // a number may span two reads
      if (*at >= '0' && *at <= '9') {
        number = number * 10 + (*at - '0');
      } else if (number != 0) {
        pids.push_back(number);
        number = 0;
      }
    }
  }
  if (number != 0) pids.push_back(number);
  return true;
}

/// A child is listed with the thread that made it, so every thread of a Go daemon is asked.
void append_children(pid_t pid, std::vector<pid_t>& children) {
  Folder tasks(ProcPath(pid, "task").text);
  if (!tasks.open()) return;
  while (const dirent* entry = tasks.next()) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    char path[96];
    std::snprintf(path, sizeof path, "/proc/%d/task/%.20s/children", pid, entry->d_name);
    append_pids(path, children);
  }
}

using Families = std::unordered_map<pid_t, std::vector<pid_t>>;

Families scan_families() {
  Families families;
  for (const pid_t pid : all_processes()) {
    if (const auto stat = read_stat(pid)) families[stat->parent].push_back(pid);
  }
  return families;
}

bool is_refusal(int error) { return error == EACCES || error == EPERM; }

/// With errno, where the link cannot be read; errno is 0 where it is no socket.
std::optional<std::uint64_t> socket_inode(int folder, const char* name) {
  char target[64];
  const ssize_t length = ::readlinkat(folder, name, target, sizeof target);
  if (length <= 0) return std::nullopt;
  errno = 0;
  std::string_view text(target, static_cast<std::size_t>(length));
  constexpr std::string_view prefix = "socket:[";
  if (!text.starts_with(prefix) || !text.ends_with(']')) return std::nullopt;
  text.remove_prefix(prefix.size());
  text.remove_suffix(1);
  return to_number<std::uint64_t>(text);
}

enum class Sight { seen, refused };

/// What may not be looked at may hold anything, but for a zombie: that one holds nothing any more.
Sight sight_of(pid_t pid, int error) {
  const bool hidden = error == ENOENT && (::kill(pid, 0) == 0 || errno == EPERM);  // no /proc, or hidepid
  if (!hidden && !is_refusal(error)) return Sight::seen;
  const auto stat = read_stat(pid);
  return !stat || stat->alive() ? Sight::refused : Sight::seen;
}

/// Looks through the descriptors of one process for a socket among `inodes`.
Sight look_for_socket(pid_t pid, std::span<const std::uint64_t> inodes, std::optional<HeldSocket>& held) {
  Folder descriptors(ProcPath(pid, "fd").text);
  if (!descriptors.open()) return sight_of(pid, errno);
  Sight sight = Sight::seen;
  while (const dirent* entry = descriptors.next()) {
    if (entry->d_name[0] == '.') continue;
    const auto inode = socket_inode(descriptors.descriptor(), entry->d_name);
    if (!inode && is_refusal(errno))
      sight = sight_of(pid, errno);  // the list is shown, the descriptors are not
    if (!inode || std::ranges::find(inodes, *inode) == inodes.end()) continue;
    held = HeldSocket{pid, to_number<int>(entry->d_name).value_or(-1), *inode};
    return Sight::seen;
  }
  return sight;
}

/// `Max realtime timeout     unlimited            unlimited            us`: the first number, or nothing.
std::optional<std::uint64_t> limit_in_file(pid_t pid, std::string_view name) {
  const auto text = read_whole(ProcPath(pid, "limits").text, 16 * 1024);
  if (!text) return std::nullopt;
  const std::size_t line = text->find(name);
  if (line == text->npos) return std::nullopt;
  const std::size_t from = text->find_first_not_of(' ', line + name.size());
  if (from == text->npos) return std::nullopt;
  return to_number<std::uint64_t>(
      std::string_view(*text).substr(from, text->find_first_of(" \n", from) - from));
}

}  // namespace

std::optional<std::string> read_whole(const char* path, std::size_t limit) {
  auto text = posix::read_kernel_file(AT_FDCWD, path, limit);
  return text ? std::optional(std::move(*text)) : std::nullopt;
}

std::optional<ProcessStat> read_stat(pid_t pid) {
  const posix::Descriptor file(::open(ProcPath(pid, "stat").text, O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return std::nullopt;
  char buffer[1024];
  const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
  if (got <= 0) return std::nullopt;
  const std::string_view text(buffer, static_cast<std::size_t>(got));
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');  // the name may hold ')' and blanks
  if (open == text.npos || close == text.npos || close < open || close + 2 >= text.size())
    return std::nullopt;

  ProcessStat stat;
  stat.name = std::string(text.substr(open + 1, close - open - 1));
  std::string_view rest = text.substr(close + 2);
  // proc(5): 3 state, 4 ppid, 20 num_threads, 51 env_end
  for (int field = 3; field <= 51 && !rest.empty(); ++field) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    if (field == 3) stat.state = word.front();
    if (field == 4) stat.parent = to_number<pid_t>(word).value_or(0);
    if (field == 20) stat.threads = to_number<int>(word).value_or(1);
    if (field == 51) stat.has_memory = word != "0";
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  }
  return stat;
}

EnvironmentLook read_environment(pid_t pid, std::string_view name) {
  constexpr std::size_t longest = 512 * 1024;
  auto text = read_whole(ProcPath(pid, "environ").text, longest);
  if (!text && is_refusal(errno)) {
    const posix::OwnersEyes eyes(pid);
    if (eyes.open()) text = read_whole(ProcPath(pid, "environ").text, longest);
  }
  if (!text) return {};
  if (text->empty()) {  // truly empty, or not there yet: the kernel shows nothing before it has laid it out
    const auto stat = read_stat(pid);
    return {std::nullopt, stat && stat->alive() && !stat->has_memory};
  }
  for (std::size_t from = 0; from < text->size();) {
    const std::size_t to = std::min(text->find('\0', from), text->size());
    const std::string_view entry(text->data() + from, to - from);
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return {std::string(entry.substr(name.size() + 1)), false};
    }
    from = to + 1;
  }
  return {};
}

std::optional<std::uint64_t> soft_limit(pid_t pid, int resource) {
  rlimit64 limit{};
  if (::syscall(SYS_prlimit64, pid, resource, nullptr, &limit) == 0) return limit.rlim_cur;
  // prlimit(2) wants the same user or CAP_SYS_RESOURCE; the file is for everybody: proc(5).
  return resource == RLIMIT_RTTIME ? limit_in_file(pid, "Max realtime timeout") : std::nullopt;
}

bool proc_is_there() { return ::access("/proc/self/stat", F_OK) == 0; }

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  Folder proc("/proc");
  if (!proc.open()) return pids;
  while (const dirent* entry = proc.next()) {
    if (const auto pid = to_number<pid_t>(entry->d_name)) pids.push_back(*pid);
  }
  return pids;
}

ChildrenBy children_by() {
  static const ChildrenBy way =
      ::access("/proc/thread-self/children", R_OK) == 0 ? ChildrenBy::file : ChildrenBy::scan;
  return way;
}

std::vector<pid_t> own_children(ChildrenBy by) {
  std::vector<pid_t> children;
  if (by == ChildrenBy::file) {
    append_pids("/proc/thread-self/children", children);
    return children;
  }
  const pid_t self = ::getpid();
  for (const pid_t pid : all_processes()) {
    if (const auto stat = read_stat(pid); stat && stat->parent == self) children.push_back(pid);
  }
  return children;
}

std::vector<Descendant> descendants(std::span<const pid_t> roots, ChildrenBy by) {
  std::vector<Descendant> found;
  if (roots.empty()) return found;
  const Families families = by == ChildrenBy::scan ? scan_families() : Families{};
  std::unordered_set<pid_t> seen(roots.begin(), roots.end());
  std::vector<pid_t> children;
  const auto visit = [&](pid_t parent) {
    children.clear();
    if (by == ChildrenBy::file) {
      append_children(parent, children);
    } else if (const auto family = families.find(parent); family != families.end()) {
      children = family->second;
    }
    for (const pid_t child : children) {
      if (seen.insert(child).second) found.push_back({child, parent});
    }
  };
  for (const pid_t root : roots) visit(root);
  for (std::size_t i = 0; i < found.size(); ++i) visit(found[i].pid);
  return found;
}

HeldLook find_held(std::span<const pid_t> pids, std::span<const std::uint64_t> inodes) {
  HeldLook look;
  if (inodes.empty()) return look;
  for (const pid_t pid : pids) {
    Sight sight = look_for_socket(pid, inodes, look.held);
    if (sight == Sight::refused) {
      const posix::OwnersEyes eyes(pid);
      if (eyes.open()) sight = look_for_socket(pid, inodes, look.held);
    }
    if (look.held) return look;
    if (sight == Sight::refused && look.unseen == 0) look.unseen = pid;
  }
  return look;
}

bool still_held(const HeldSocket& held) {
  char rest[32];
  std::snprintf(rest, sizeof rest, "fd/%d", held.descriptor);
  const ProcPath path(held.pid, rest);
  const auto inode = socket_inode(AT_FDCWD, path.text);
  if (inode || !is_refusal(errno)) return inode == held.inode;
  const posix::OwnersEyes eyes(held.pid);
  return eyes.open() && socket_inode(AT_FDCWD, path.text) == held.inode;
}

}  // namespace arizuko::host
