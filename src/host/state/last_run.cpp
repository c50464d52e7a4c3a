#include "arizuko/host/state/last_run.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <unordered_set>

#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>

#include "host/process/proc_fs.hpp"

namespace arizuko::host {
namespace {

constexpr int deepest = 1000;

/// Us and what we descend from: a shell of the last run may have started us.
std::unordered_set<pid_t> own_line() {
  std::unordered_set<pid_t> line;
  pid_t pid = ::getpid();
  for (int level = 0; level < deepest && pid > 0; ++level) {
    line.insert(pid);
    const auto stat = read_stat(pid);
    if (!stat) break;
    pid = stat->parent;
  }
  return line;
}

std::string shown_name(std::string name) {
  std::erase_if(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  return name;
}

/// The number may have been given away since: a handle first, then the look whether it is still that one.
void signal_one(const MarkedProcess& process, int signal_number) {
  const auto handle = static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0));
  const auto stat = read_stat(process.pid);
  const bool same = stat && stat->alive() && shown_name(stat->name) == process.name;
  const auto send = [&](int number) {
    if (handle >= 0) return ::syscall(SYS_pidfd_send_signal, handle, number, nullptr, 0) == 0;
    return ::kill(process.pid, number) == 0;  // before Linux 5.3: the look was microseconds ago
  };
  if (same && send(signal_number)) send(SIGCONT);
  if (handle >= 0) ::close(handle);
}

}  // namespace

std::vector<MarkedProcess> left_by_last_run(std::uint32_t instance) {
  std::vector<MarkedProcess> left = marked_processes(instance);
  const std::unordered_set<pid_t> spared = own_line();
  std::erase_if(left, [&](const MarkedProcess& each) { return spared.contains(each.pid); });
  std::unordered_set<pid_t> known = spared;
  std::vector<pid_t> roots;
  for (const MarkedProcess& each : left) {
    known.insert(each.pid);
    roots.push_back(each.pid);
  }
  for (const auto& [pid, parent] : descendants(roots, children_by())) {
    if (!known.insert(pid).second) continue;
    if (auto stat = read_stat(pid); stat && stat->alive())
      left.push_back({pid, shown_name(std::move(stat->name)), ""});
  }
  // Where we come from such a shell, what we have started ourselves would be among them.
  std::unordered_set<pid_t> ours;
  const pid_t self[] = {::getpid()};
  for (const auto& [pid, parent] : descendants(self, children_by())) ours.insert(pid);
  std::erase_if(left, [&](const MarkedProcess& each) { return ours.contains(each.pid); });
  return left;
}

std::vector<MarkedProcess> out_of_reach(const std::vector<MarkedProcess>& processes) {
  std::vector<MarkedProcess> others;
  for (const MarkedProcess& each : processes) {
    if (::kill(each.pid, 0) != 0 && errno == EPERM) others.push_back(each);
  }
  return others;
}

void signal_left(const std::vector<MarkedProcess>& processes, int signal_number) {
  for (const MarkedProcess& each : processes) signal_one(each, signal_number);
}

std::string to_text(const std::vector<MarkedProcess>& processes) {
  constexpr std::size_t most = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(most, processes.size()); ++i) {
    const MarkedProcess& each = processes[i];
    text += fmt::format("{}{} (pid {})", i == 0 ? "" : ", ", each.service.empty() ? each.name : each.service,
                        each.pid);
  }
  if (processes.size() > most) text += fmt::format(" and {} more", processes.size() - most);
  return text;
}

}  // namespace arizuko::host
