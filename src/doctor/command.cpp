#include "arizuko/doctor/command.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

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
  const auto child = host::spawn(spec);
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
    int status = 0;
    const pid_t ended = ::waitpid(*child, &status, WNOHANG);
    if (ended == *child || (ended < 0 && errno == ECHILD)) {
      while (open && ::poll(&wait, 1, 0) > 0) open = take_output(reading.get(), result.output);
      result.end = WIFSIGNALED(status) ? CommandResult::End::signalled : CommandResult::End::exited;
      result.number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
      return result;
    }
    if (Clock::now() >= deadline) break;
  }
  ::kill(-*child, SIGKILL);  // spawn() made it the leader of a session, and so of a group
  ::waitpid(*child, nullptr, 0);
  result.end = CommandResult::End::timed_out;
  return result;
}

}  // namespace arizuko::doctor
