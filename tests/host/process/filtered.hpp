// A process in which the kernel does not answer some system calls as it should: seccomp(2), as container
// engines use it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

namespace arizuko::host::testing {

/// SECCOMP_RET_ERRNO | errno, or SECCOMP_RET_KILL_PROCESS.
using Answer = std::uint32_t;

inline bool filter_calls(const std::vector<long>& numbers, Answer answer) {
  std::vector<sock_filter> program = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)};  // seccomp_data.nr
  for (const long number : numbers) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, answer));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/// What `body` returns in a process of its own in which these calls are answered so; its end by a signal is
/// the signal's number, negative. 99: no filter is to be had.
inline int run_filtered(const std::vector<long>& numbers, Answer answer, const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(filter_calls(numbers, answer) ? body() : 99);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace arizuko::host::testing
