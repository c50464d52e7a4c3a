#include "other_backends.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "arizuko/posix/find_program.hpp"

namespace arizuko::agents {
namespace {

constexpr int exit_not_found = 127;

bool is_this_program(const std::string& path) {
  struct stat own{};
  struct stat other{};
  return ::stat("/proc/self/exe", &own) == 0 && ::stat(path.c_str(), &other) == 0 &&
         own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

}  // namespace

Failure exec_docker(std::span<const std::string> words, const Environment& environment) {
  std::vector<char*> arguments;
  std::string name = "docker";
  arguments.push_back(name.data());
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::string error;
  const auto path = environment("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
  const auto other = posix::find_program("docker", path, posix::Directories::absolute,
                                         [](const std::string& found) { return !is_this_program(found); });
  if (other) {
    ::execv(other->c_str(), arguments.data());
    error = fmt::format("; {}: {}", *other, std::strerror(errno));
  }
  return {exit_not_found,
          fmt::format("there is no other docker in PATH ({}){}; install the docker command, or set "
                      "CONTAINER_BACKEND to kubernetes or none",
                      path, error)};
}

namespace {

pid_t child = -1;

void hand_on(int number) { ::kill(child, number); }

constexpr std::array handed_on{SIGTERM, SIGINT, SIGHUP};

}  // namespace

Result<int> run_docker(std::span<const std::string> words, const Environment& environment) {
  sigset_t set, before;
  ::sigemptyset(&set);
  for (const int number : handed_on) ::sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, &before);  // none comes before there is somebody to hand it to
  const auto parent = ::getpid();
  child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(exit_killed);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    std::signal(SIGPIPE, SIG_DFL);
    const auto failure = exec_docker(words, environment);
    std::fputs(fmt::format("docker: {}\n", failure.text).c_str(), stderr);
    std::fflush(stderr);
    ::_exit(failure.code);
  }
  if (child < 0) return fail(fmt::format("cannot start docker: {}", std::strerror(errno)), exit_run_failed);
  struct sigaction action{};
  action.sa_handler = hand_on;
  for (const int number : handed_on) ::sigaction(number, &action, nullptr);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Result<int> without_agents(const Command& command) {
  if (std::holds_alternative<Info>(command)) {
    std::puts("Server:\n Backend: none (CONTAINER_BACKEND=none: no agent can run)");
    return 0;
  }
  if (std::holds_alternative<Ps>(command)) return 0;
  if (std::holds_alternative<Run>(command))
    return fail("no agent can run here: CONTAINER_BACKEND is none; set it to kubernetes or docker",
                exit_run_failed);
  if (std::holds_alternative<Network>(command))
    return fail("there are no networks: CONTAINER_BACKEND is none");
  std::vector<std::string> names;
  int code = exit_failed;
  if (const auto* stop = std::get_if<Stop>(&command)) names = stop->names;
  if (const auto* kill = std::get_if<Kill>(&command)) names = kill->names;
  if (const auto* remove = std::get_if<Remove>(&command)) {
    names = remove->names;
    code = 0;  // as docker: rm -f of what is not there is no error
  }
  for (const std::string& name : names)
    std::fputs(fmt::format("Error response from daemon: No such container: {}\n", name).c_str(), stderr);
  return code;
}

}  // namespace arizuko::agents
