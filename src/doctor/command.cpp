#include "command.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include <fmt/format.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arizuko/host/process/process_table.hpp"
#include "arizuko/host/process/spawner.hpp"
#include "files.hpp"

namespace arizuko::doctor {

namespace {

constexpr std::size_t longest_output_bytes = 4096;

/// Reads what is there; false at the end of the pipe.
bool take_output(int pipe, std::string& output) {
  std::array<char, 4096> buffer{};
  const ssize_t got = ::read(pipe, buffer.data(), buffer.size());
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  const std::size_t room = longest_output_bytes - std::min(longest_output_bytes, output.size());
  output.append(buffer.data(), std::min(room, static_cast<std::size_t>(got)));
  return got > 0;
}

/// The command with everything that it starts. Whatever leaves its session, or outlives its parent, comes to
/// us as a child and bears the mark: so nothing outlives the command.
class Tree {
 public:
  Tree() : was_reaper_(is_reaper()) {
    host::ProcessTable::become_reaper();
    std::signal(SIGCHLD, SIG_DFL);  // ignored, as some parents leave it, no end would be told: waitpid(2)
    spawner_.dispositions_changed();
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree() {
    if (!was_reaper_) ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
  }

  std::expected<pid_t, host::SpawnError> start(host::ChildSpec spec) {
    static unsigned number = 0;
    const std::string mark = fmt::format("doctor/{}.{}", ::getpid(), ++number);
    spec.environment.push_back(fmt::format("{}={}", host::mark_variable, mark));
    spec.limit_mark = host::limit_mark(mark);
    auto pid = spawner_.spawn(spec);
    if (pid) table_.add(key, *pid, mark);
    return pid;
  }

  /// The status of the command, once it has ended.
  std::optional<int> ended() {
    for (const host::Reaped& each : table_.reap()) {
      if (each.main) status_ = each.wait_status;
    }
    return status_;
  }

  /// Until nothing of it is left, or SIGKILL has not helped for a second.
  void kill() {
    constexpr int most_rounds = 200;
    constexpr int pause_ms = 5;
    for (int round = 0; round < most_rounds; ++round) {
      table_.signal_main(key, SIGKILL);
      table_.signal_leftovers(key, SIGKILL);
      if (ended() && table_.leftovers(key).empty()) return;
      ::poll(nullptr, 0, pause_ms);
    }
  }

 private:
  static bool is_reaper() {
    int is = 0;
    return ::prctl(PR_GET_CHILD_SUBREAPER, &is, 0, 0, 0) == 0 && is != 0;
  }
  static constexpr host::RunKey key{{0, 1}};
  boost::asio::io_context io_{1};  // never run: nothing is waited for on it
  host::Spawner spawner_{io_};
  bool was_reaper_;
  host::ProcessTable table_;
  std::optional<int> status_;
};

}  // namespace

std::expected<CommandResult, host::SpawnError> run_command(const std::string& executable,
                                                           const std::vector<std::string>& argv,
                                                           const std::vector<std::string>& environment,
                                                           std::chrono::milliseconds patience) {
  using Clock = std::chrono::steady_clock;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
    return std::unexpected(host::SpawnError{host::SpawnStage::making_the_log_pipes, errno, {}});
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  host::ChildSpec spec;
  spec.executable = executable;
  spec.argv = argv;
  spec.environment = environment;
  spec.cwd = "/";
  spec.out = spec.err = writing.get();
  Tree tree;
  const auto child = tree.start(std::move(spec));
  if (!child) return std::unexpected(child.error());
  writing.close();

  CommandResult result;
  bool open = true;
  const auto deadline = Clock::now() + patience;
  for (;;) {
    // Its end is asked for often, not waited for: what it left behind may keep the pipe open for ever.
    pollfd wait{open ? reading.get() : -1, POLLIN, 0};
    constexpr int slice_ms = 10;
    if (::poll(&wait, 1, slice_ms) > 0) open = take_output(reading.get(), result.output);
    if (const auto status = tree.ended()) {
      // What it left behind may go on writing: no more than is kept.
      while (open && result.output.size() < longest_output_bytes && ::poll(&wait, 1, 0) > 0)
        open = take_output(reading.get(), result.output);
      result.end = WIFSIGNALED(*status) ? CommandResult::End::signalled : CommandResult::End::exited;
      result.number = WIFSIGNALED(*status) ? WTERMSIG(*status) : WEXITSTATUS(*status);
      break;
    }
    if (Clock::now() < deadline) continue;
    result.end = CommandResult::End::timed_out;
    break;
  }
  tree.kill();
  return result;
}

}  // namespace arizuko::doctor
