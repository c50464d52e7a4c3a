#include "clone_child.hpp"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define ARIZUKO_ASAN 1
#endif
#endif

namespace arizuko::host {
namespace {

constexpr std::size_t stack_bytes = 64 * 1024;

// The kernel's struct sigaction of x86-64 and arm64; all zero is SIG_DFL.
struct KernelSigaction {
  unsigned long words[4] = {};
};
constexpr std::size_t kernel_sigset_bytes = 8;
constexpr int last_signal = 64;

/// All signals blocked, at the end as before. By the system call: glibc leaves out two of its own.
class Masked {
 public:
  Masked() noexcept {
    const SignalBits all = every_signal;
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before_, kernel_sigset_bytes);
  }
  ~Masked() { ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr, kernel_sigset_bytes); }
  Masked(const Masked&) = delete;
  Masked& operator=(const Masked&) = delete;

 private:
  SignalBits before_ = 0;
};

/// Marks all descriptors from 3 close-on-exec, without close_range: through /proc/self/fd.
ARIZUKO_IN_CHILD void mark_by_listing() noexcept {
  const long folder = ::syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (folder < 0) {
    for (int fd = 3; fd < 4096; ++fd) ::syscall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
    return;
  }
  alignas(8) char buffer[2048];
  for (;;) {
    const long got = ::syscall(SYS_getdents64, folder, buffer, sizeof buffer);
    if (got <= 0) break;
    for (long at = 0; at < got;) {
      const char* entry = buffer + at;
      unsigned short length = 0;
      for (unsigned i = 0; i < sizeof length; ++i) {  // struct linux_dirent64: 8 + 8, then d_reclen
        reinterpret_cast<char*>(&length)[i] = entry[16 + i];
      }
      int fd = 0;
      bool number = true;
      for (const char* name = entry + 19; *name != '\0'; ++name) {
        if (*name < '0' || *name > '9')
          number = false;
        else
          fd = fd * 10 + (*name - '0');
      }
      if (number && fd > 2) ::syscall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
      if (length == 0) return;
      at += length;
    }
  }
}

}  // namespace

// ---------------------------------------------------------------------------------------------
// The child

struct Cloner::Start {
  Body body;
  void* context;
  int members;  // cgroup.procs of the control group to go to; -1: it was born in the right one
  Progress& progress;

  ARIZUKO_IN_CHILD static int run(void* argument) noexcept {
    const Start& start = *static_cast<const Start*>(argument);
    // First of all: what it uses counts for its group, and it has no children yet.
    if (start.members >= 0) {
      start.progress.stage = SpawnStage::joining_the_control_group;
      if (::syscall(SYS_write, start.members, "0", 1) != 1) {
        start.progress.error = errno;
        start.progress.failed = true;
        return 127;
      }
    }
    return start.body(start.context);
  }
};

ARIZUKO_IN_CHILD bool leave_table_in_child(unsigned first_foreign) noexcept {
  return ::syscall(SYS_close_range, first_foreign, ~0U, CLOSE_RANGE_UNSHARE) == 0;
}

ARIZUKO_IN_CHILD void close_descriptors_at_execve_in_child() noexcept {
  // CLOSE_RANGE_CLOEXEC is of Linux 5.11; old seccomp profiles refuse the call altogether.
  if (::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0) mark_by_listing();
}

ARIZUKO_IN_CHILD void open_signals_in_child(SignalBits reset) noexcept {
  // By the system call: glibc's sigaction refuses 32 and 33, which may be ignored all the same.
  const KernelSigaction by_default;
  for (; reset != 0; reset &= reset - 1) {
    ::syscall(SYS_rt_sigaction, __builtin_ctzll(reset) + 1, &by_default, nullptr, kernel_sigset_bytes);
  }
  const SignalBits none = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kernel_sigset_bytes);
}

// ---------------------------------------------------------------------------------------------
// The parent

ErrnoKept::ErrnoKept() noexcept : before_(errno) {}
ErrnoKept::~ErrnoKept() { errno = before_; }

SignalBits changed_signals() noexcept {
  const ErrnoKept errno_kept;
  SignalBits changed = 0;
  for (int number = 1; number <= last_signal; ++number) {
    KernelSigaction now;
    const long known = ::syscall(SYS_rt_sigaction, number, nullptr, &now, kernel_sigset_bytes);
    if (known == 0 && now.words[0] != 0) changed |= SignalBits{1} << (number - 1);
  }
  return changed;
}

#if defined(__x86_64__) || defined(__aarch64__)
#define ARIZUKO_CLONE3 1
namespace {
/// clone3(2), whose child runs body(context) on the stack that `arguments` names. No library has
/// that call: glibc 2.36 keeps its own to itself. Returns the child's process id, or -errno.
long clone3_on_stack(const clone_args& arguments, int (*body)(void*) noexcept, void* context) noexcept {
#if defined(__x86_64__)
  long result = SYS_clone3;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"  // where a walk over frames ends
      "mov %%rbx, %%rdi\n\t"
      "call *%%rdx\n\t"
      "mov %%eax, %%edi\n\t"
      "mov %[exit], %%eax\n\t"
      "syscall\n\t"
      "hlt\n"
      "1:"
      : "+a"(result)
      : "D"(&arguments), "S"(sizeof arguments), "d"(body), "b"(context), [exit] "i"(SYS_exit)
      : "rcx", "r11", "memory");
  return result;
#else
  register long number asm("x8") = SYS_clone3;
  register long result asm("x0") = reinterpret_cast<long>(&arguments);
  register std::size_t second asm("x1") = sizeof arguments;
  register int (*run)(void*) noexcept asm("x2") = body;
  register void* with asm("x3") = context;
  asm volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x0, x3\n\t"
      "blr x2\n\t"
      "mov x8, %[exit]\n\t"
      "svc #0\n\t"
      "brk #1\n"
      "1:"
      : "+r"(result)
      : "r"(number), "r"(second), "r"(run), "r"(with), [exit] "i"(SYS_exit)
      : "memory");
  return result;
#endif
}
}  // namespace
#endif

Cloner::~Cloner() {
  if (stack_ == nullptr) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  ::munmap(stack_ - page, stack_bytes + page);
}

bool Cloner::have_stack() noexcept {
  if (stack_ != nullptr) return true;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  void* base = ::mmap(nullptr, stack_bytes + page, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (base == MAP_FAILED) return false;
  ::mprotect(base, page, PROT_NONE);
  stack_ = static_cast<char*>(base) + page;
  return true;
}

/// The child is born in its control group: nothing has to be moved, which would stop every fork of the
/// machine for some milliseconds (the kernel's cgroup_threadgroup_rwsem). CLONE_INTO_CGROUP is of Linux
/// 5.7; container engines, and systemd's RestrictNamespaces, refuse clone3 as unknown. 0: it cannot be done
/// this way; -1, with errno: not now.
pid_t Cloner::clone_into_group(int flags, int group, Start& start) noexcept {
#ifdef ARIZUKO_CLONE3
  if (clone3_refused_) return 0;
  clone_args arguments{};
  arguments.flags = static_cast<std::uint64_t>(flags) | CLONE_INTO_CGROUP;
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<std::uint64_t>(stack_);
  arguments.stack_size = stack_bytes;
  arguments.cgroup = static_cast<std::uint64_t>(group);
  const long result = clone3_on_stack(arguments, Start::run, &start);
  if (result > 0) return static_cast<pid_t>(result);
  clone3_refused_ = result == -ENOSYS || result == -EPERM || result == -E2BIG || result == -EINVAL;
  if (result == -EAGAIN || result == -ENOMEM) {
    errno = static_cast<int>(-result);
    return -1;
  }
#else
  static_cast<void>(flags), static_cast<void>(group), static_cast<void>(start);
#endif
  return 0;
}

/// -1, with errno and the stage, when there is no child.
pid_t Cloner::clone(const Birth& birth, Start& start) noexcept {
  const int flags = CLONE_VM | CLONE_VFORK | (birth.table == Table::shared ? CLONE_FILES : 0);
  if (birth.group >= 0) {
    if (const pid_t child = clone_into_group(flags, birth.group, start); child != 0) return child;
    start.members = ::openat(birth.group, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (start.members < 0) {
      start.progress.stage = SpawnStage::joining_the_control_group;
      return -1;
    }
  }
  const pid_t child = ::clone(Start::run, stack_ + stack_bytes, flags | SIGCHLD, &start);
  const ErrnoKept errno_kept;
  if (start.members >= 0) ::close(start.members);
  return child;
}

pid_t Cloner::make_child(const Birth& birth, Body body, void* context, Progress& progress) noexcept {
  const ErrnoKept errno_kept;
  progress = {};
  if (!have_stack()) {
    progress.failed = true;
    progress.error = ENOMEM;
    return -1;
  }
  Start start{body, context, -1, progress};
  const Masked masked;
  const pid_t child = clone(birth, start);
  if (child < 0) {
    progress.failed = true;
    progress.error = errno;
    return -1;
  }
#ifdef ARIZUKO_ASAN
  // The child left its frames without returning from them.
  __asan_unpoison_memory_region(stack_, stack_bytes);
#endif
  if (!progress.failed && progress.stage == SpawnStage::executing) return child;
  // Not left to the reaper, for whom it would be an orphan. A vfork is over when the child is killed, too.
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!progress.failed) {
    progress.failed = true;
    progress.error = ECHILD;
    progress.killed_by = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  return -1;
}

}  // namespace arizuko::host
