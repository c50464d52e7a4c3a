#include "docker.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace rehearsal {
namespace {

constexpr std::size_t output_limit_bytes = 64 << 10;
constexpr auto no_limit = std::chrono::hours(1);

// Takes what is there; what is over the limit is read and dropped, so that the child never blocks.
void drain(int pipe, std::string& output) {
  std::array<char, 4096> chunk{};
  for (;;) {
    const auto got = ::read(pipe, chunk.data(), chunk.size());
    if (got <= 0) return;
    const auto room = output_limit_bytes - output.size();
    output.append(chunk.data(), std::min(room, static_cast<std::size_t>(got)));
  }
}

struct Child {
  pid_t pid = -1;
  int output = -1;
};

// A pipe that holds `input` and its end; -1 when there is none to be had. It fits into the pipe: pipe(7).
int input_pipe(std::string_view input) {
  std::array<int, 2> pipe{};
  if (input.size() > output_limit_bytes || ::pipe2(pipe.data(), O_CLOEXEC) != 0) return -1;
  const auto written = ::write(pipe[1], input.data(), input.size());
  ::close(pipe[1]);
  if (written == static_cast<ssize_t>(input.size())) return pipe[0];
  ::close(pipe[0]);
  return -1;
}

std::expected<Child, std::string> start(const std::vector<std::string>& words, std::string_view input) {
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int in = input_pipe(input);
  if (in < 0) return std::unexpected(fmt::format("no pipe for {} bytes of input", input.size()));
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    ::close(in);
    return std::unexpected(std::strerror(errno));
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in, 0);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], 1);
  ::posix_spawn_file_actions_adddup2(&actions, pipe[1], 2);
  Child child;
  const int error =
      ::posix_spawnp(&child.pid, arguments.front(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(in);
  ::close(pipe[1]);
  child.output = pipe[0];
  if (error == 0) return child;
  ::close(pipe[0]);
  if (error == ENOENT) return std::unexpected(R"(exec: "docker": executable file not found in $PATH)");
  return std::unexpected(fmt::format("fork/exec docker: {}", std::strerror(error)));
}

std::string exit_text(int status) {
  if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGKILL ? "signal: killed" : "signal";
  return fmt::format("exit status {}", WEXITSTATUS(status));
}

}  // namespace

asio::awaitable<std::expected<std::string, std::string>> docker(Daemon& daemon,
                                                                std::vector<std::string> arguments,
                                                                std::chrono::milliseconds limit,
                                                                std::string input) {
  arguments.insert(arguments.begin(), "docker");
  const auto child = start(arguments, input);
  if (!child) co_return std::unexpected(child.error());
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::string output;
  int status = 0;
  bool killed = false;
  while (::waitpid(child->pid, &status, WNOHANG) == 0) {
    drain(child->output, output);
    if (!killed && std::chrono::steady_clock::now() > deadline) {
      killed = ::kill(child->pid, SIGKILL) == 0;
    }
    co_await daemon.sleep(std::chrono::milliseconds(5));
  }
  drain(child->output, output);
  ::close(child->output);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) co_return output;
  co_return std::unexpected(fmt::format("{}: {}", exit_text(status), output));
}

std::string container_name(const Config& config, std::string_view folder) {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  return fmt::format("arizuko-{}-{}-{}", config.assistant_name, folder, now.count());
}

// The host's side of a bind: DATA_DIR's prefix replaced by HOST_DATA_DIR's.
std::vector<std::string> run_arguments(const Config& config, Line line, std::string_view folder,
                                       const std::string& container) {
  const auto host = Environment::text_or("HOST_DATA_DIR", config.data_dir);
  std::vector<std::string> words{"run", "-i", "--rm", "--name", container, "--shm-size=1g"};
  const auto add = [&words](std::string option, std::string value) {
    words.push_back(std::move(option));
    words.push_back(std::move(value));
  };
  add("-e", "TZ=" + Environment::text_or("TZ", "UTC"));
  if (line == Line::Today) {
    add("-e", "ARIZUKO_MODEL=");
    add("-e", "ARIZUKO_QUERY_TIMEOUT_MS=");
  }
  add("-v", fmt::format("{}/groups/{}:/home/node", host, folder));
  if (line == Line::Gated) {
    add("-v", config.host_app_dir + ":/workspace/self:ro");
    add("-v", fmt::format("{}/ipc/{}:/workspace/ipc", host, folder));
  } else {
    add("-v", host + "/app-src:/opt/arizuko:ro");
    add("-v", fmt::format("{}/groups/{}/share:/var/lib/share", host, folder));
    add("-v", fmt::format("{}/ipc/{}:/run/ipc", host, folder));
  }
  words.push_back(config.container_image);
  return words;
}

asio::awaitable<std::expected<void, std::string>> docker_boot_checks(Daemon& daemon, const Config& config) {
  // Each vector is named first: a braced temporary in a co_await is what compilers get wrong.
  std::vector<std::string> info{"info"};
  auto up = co_await docker(daemon, std::move(info), std::chrono::seconds(10));
  if (!up) co_return std::unexpected(fmt::format("docker is not running: {}", up.error()));
  std::vector<std::string> ps{"ps", fmt::format("--filter=name=arizuko-{}-", config.assistant_name),
                              "--format", "{{.Names}}",
                              fmt::format("--filter=ancestor={}", config.container_image)};
  auto names = co_await docker(daemon, std::move(ps), no_limit);
  if (!names) {
    daemon.log().warn("failed to list orphaned containers", {{"err", names.error()}});
    co_return std::expected<void, std::string>{};
  }
  std::string_view left = *names;
  while (!left.empty()) {
    const auto end = left.find('\n');
    const std::string name{left.substr(0, end)};
    left = end == std::string_view::npos ? std::string_view{} : left.substr(end + 1);
    if (name.empty()) continue;
    std::vector<std::string> stop{"stop", name};
    auto stopped = co_await docker(daemon, std::move(stop), no_limit);
    daemon.log().info("stopped orphaned container", {{"name", name}, {"ok", stopped.has_value()}});
  }
  co_return std::expected<void, std::string>{};
}

}  // namespace rehearsal
