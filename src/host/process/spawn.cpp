#include "arizuko/host/process/spawn.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <fmt/format.h>

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace arizuko::host {
namespace {

// ---------------------------------------------------------------------------------------------
// The child. Until execve it runs in our memory, on a stack of its own: no allocation, no lock, no
// glibc wrapper with a state of its own (setuid(3) there signals "all threads": ours), only system
// calls. Sanitizers keep their shadow by thread, so they stay out of it.
#define ARIZUKO_IN_CHILD __attribute__((no_sanitize("address", "undefined", "thread"), no_stack_protector))

struct Launch {
  const char* executable = nullptr;
  char* const* argv = nullptr;
  char* const* environment = nullptr;
  const char* cwd = nullptr;  // null: stay
  int null = -1;              // /dev/null; above 2, as are out and err
  int out = -1;
  int err = -1;
  int members = -1;  // cgroup.procs of the control group to go to; -1: it was born in the right one
  // From here on the parent's descriptors are none of the child's business; 0: the child has a copy of
  // the whole table, not the table itself.
  unsigned first_foreign = 0;
  rlimit64 nofile{};
  bool set_nofile = false;
  rlimit64 mark{};
  bool set_mark = false;
  bool set_uid = false;
  bool set_gid = false;
  uid_t uid = 0;
  gid_t gid = 0;
  const gid_t* groups = nullptr;
  std::size_t group_count = 0;
  mode_t umask = 022;
  std::uint64_t reset_signals = every_signal;
  // Written by the child, read by the parent after it.
  volatile SpawnStage stage = SpawnStage::forking;
  volatile bool failed = false;
  volatile int error = 0;
};

// The kernel's struct sigaction of x86-64 and arm64; all zero is SIG_DFL.
struct KernelSigaction {
  unsigned long words[4] = {};
};
constexpr std::size_t kernel_sigset_bytes = 8;
constexpr int last_signal = 64;

ARIZUKO_IN_CHILD void reset_dispositions(std::uint64_t signals) {
  // By the system call: glibc's sigaction refuses 32 and 33, which may be ignored all the same.
  KernelSigaction by_default;
  for (; signals != 0; signals &= signals - 1) {
    ::syscall(SYS_rt_sigaction, __builtin_ctzll(signals) + 1, &by_default, nullptr, kernel_sigset_bytes);
  }
}

ARIZUKO_IN_CHILD int duplicate(int from, int to) {
  // dup3 and not dup2: arm64 has no dup2. `from` is above 2, so the two never are the same.
  return static_cast<int>(::syscall(SYS_dup3, from, to, 0));
}

/// Marks all descriptors from 3 close-on-exec, without close_range: through /proc/self/fd.
ARIZUKO_IN_CHILD void mark_by_listing() {
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

ARIZUKO_IN_CHILD int fail(Launch& launch) {
  launch.error = errno;
  launch.failed = true;
  return 127;
}

// Each stage is noted as it begins: a child that is killed in it can say nothing.
ARIZUKO_IN_CHILD int child_main(void* argument) {
  Launch& launch = *static_cast<Launch*>(argument);

  // First of all: what it uses counts for its group, and it has no children yet.
  launch.stage = SpawnStage::joining_the_control_group;
  if (launch.members >= 0 && ::syscall(SYS_write, launch.members, "0", 1) != 1) return fail(launch);
  launch.stage = SpawnStage::starting_a_session;
  if (::syscall(SYS_setsid) < 0) return fail(launch);

  launch.stage = SpawnStage::resetting_signals;
  reset_dispositions(launch.reset_signals);

  // Until here the table of descriptors is the parent's own. What lies above is not even copied.
  launch.stage = SpawnStage::placing_descriptors;
  if (launch.first_foreign != 0 &&
      ::syscall(SYS_close_range, launch.first_foreign, ~0U, CLOSE_RANGE_UNSHARE) < 0) {
    return fail(launch);
  }
  if (duplicate(launch.null, 0) < 0 || duplicate(launch.out, 1) < 0 || duplicate(launch.err, 2) < 0) {
    return fail(launch);
  }
  // CLOSE_RANGE_CLOEXEC is of Linux 5.11; old seccomp profiles refuse the call altogether.
  if (::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0) mark_by_listing();

  launch.stage = SpawnStage::setting_limits;
  // Without the mark it runs just as well.
  if (launch.set_mark) ::syscall(SYS_prlimit64, 0, RLIMIT_RTTIME, &launch.mark, nullptr);
  if (launch.set_nofile && ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &launch.nofile, nullptr) < 0) {
    return fail(launch);
  }
  launch.stage = SpawnStage::switching_the_group;
  if (launch.set_gid || launch.set_uid) {
    if (::syscall(SYS_setgroups, launch.group_count, launch.groups) < 0 ||
        (launch.set_gid && ::syscall(SYS_setresgid, launch.gid, launch.gid, launch.gid) < 0)) {
      return fail(launch);
    }
  }
  launch.stage = SpawnStage::switching_the_user;
  if (launch.set_uid && ::syscall(SYS_setresuid, launch.uid, launch.uid, launch.uid) < 0) return fail(launch);
  launch.stage = SpawnStage::dropping_privileges;
  if (::syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return fail(launch);
  launch.stage = SpawnStage::entering_the_directory;
  if (launch.cwd != nullptr && ::syscall(SYS_chdir, launch.cwd) < 0) return fail(launch);
  ::syscall(SYS_umask, launch.umask);

  // Last: with the mask open a signal for the child's session finds default dispositions only.
  launch.stage = SpawnStage::resetting_signals;
  std::uint64_t none = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kernel_sigset_bytes);
  launch.stage = SpawnStage::executing;
  ::syscall(SYS_execve, launch.executable, launch.argv, launch.environment);
  return fail(launch);
}

#if defined(__x86_64__) || defined(__aarch64__)
#define ARIZUKO_CLONE3 1
/// clone3(2), whose child runs child_main(launch) on the stack that `arguments` names. No library has
/// that call: glibc 2.36 keeps its own to itself. Returns the child's process id, or -errno.
long clone_into_group(const clone_args& arguments, Launch& launch) {
#if defined(__x86_64__)
  long result = SYS_clone3;
  int (*const body)(void*) = child_main;
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
      : "D"(&arguments), "S"(sizeof arguments), "d"(body), "b"(&launch), [exit] "i"(SYS_exit)
      : "rcx", "r11", "memory");
  return result;
#else
  register long number asm("x8") = SYS_clone3;
  register long result asm("x0") = reinterpret_cast<long>(&arguments);
  register std::size_t second asm("x1") = sizeof arguments;
  register int (*run)(void*) asm("x2") = child_main;
  register void* with asm("x3") = &launch;
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
#endif

// ---------------------------------------------------------------------------------------------
// The parent

constexpr std::size_t stack_bytes = 64 * 1024;

/// Top of the child's stack, made once; below it a page that faults. Null when there is no memory.
char* child_stack() {
  static char* top = []() -> char* {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* base = ::mmap(nullptr, stack_bytes + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (base == MAP_FAILED) return nullptr;
    ::mprotect(base, page, PROT_NONE);
    return static_cast<char*>(base) + page + stack_bytes;
  }();
  return top;
}

/// Three descriptors above 2 that stay for good and lie low: /dev/null, and the places into which the
/// outputs of the next child are put. Copying a table of descriptors and closing each at execve costs
/// time for every service there is (two pipes each); with these, a child is given only what lies below
/// `first_foreign`. Between two starts both places hold /dev/null, so that no pipe is kept open.
class Places {
 public:
  static Places& get() {
    static Places places;
    return places;
  }

  /// Makes what is not there yet; false, with errno, while it cannot be had.
  bool prepare() {
    for (int* place : {&null_, &out_, &err_}) {
      if (*place < 0 && (*place = open_null()) < 0) return false;
    }
    return true;
  }

  bool fill(const ChildSpec& spec, Launch& launch) const {
    launch.null = null_;
    launch.out = out_;
    launch.err = err_;
    // CLOSE_RANGE_UNSHARE is of Linux 5.9; old seccomp profiles refuse the call altogether.
    static const bool can_unshare = ::syscall(SYS_close_range, ~0U, ~0U, CLOSE_RANGE_UNSHARE) == 0;
    if (can_unshare) launch.first_foreign = static_cast<unsigned>(std::max({null_, out_, err_})) + 1;
    return (spec.out < 0 || put(spec.out, out_)) && (spec.err < 0 || put(spec.err, err_));
  }

  void empty() const {
    put(null_, out_);
    put(null_, err_);
  }

 private:
  static bool put(int descriptor, int place) { return ::dup3(descriptor, place, O_CLOEXEC) >= 0; }

  static int open_null() {
    const int opened = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (opened < 0 || opened > 2) return opened;
    const int moved = ::fcntl(opened, F_DUPFD_CLOEXEC, 3);
    const int error = errno;
    ::close(opened);
    errno = error;
    return moved;
  }

  int null_ = -1;
  int out_ = -1;
  int err_ = -1;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

std::unexpected<SpawnError> failure(SpawnStage stage, int error, std::string subject = {}) {
  return std::unexpected(SpawnError{stage, error, std::move(subject)});
}

std::string subject_of(SpawnStage stage, const ChildSpec& spec) {
  switch (stage) {
    case SpawnStage::executing: return spec.executable;
    case SpawnStage::entering_the_directory: return spec.cwd;
    case SpawnStage::setting_limits: return fmt::format("nofile = {}", spec.nofile);
    case SpawnStage::switching_the_group:
      return spec.gid ? fmt::format("gid {}", *spec.gid) : "supplementary groups";
    case SpawnStage::switching_the_user: return fmt::format("uid {}", spec.uid.value_or(0));
    case SpawnStage::marking_the_task:
    case SpawnStage::finding_the_program:
    case SpawnStage::making_the_log_pipes:
    case SpawnStage::making_the_control_group:
    case SpawnStage::emptying_the_control_group:
    case SpawnStage::forking:
    case SpawnStage::joining_the_control_group:
    case SpawnStage::starting_a_session:
    case SpawnStage::resetting_signals:
    case SpawnStage::placing_descriptors:
    case SpawnStage::dropping_privileges: return {};
  }
  return {};
}

/// Where the user is the wanted one already (a pod's), nothing is switched: no privilege is needed.
void choose_user(const ChildSpec& spec, Launch& launch) {
  const bool same_group = !spec.gid || (*spec.gid == ::getegid() && *spec.gid == ::getgid());
  const bool same_user = !spec.uid || (*spec.uid == ::geteuid() && *spec.uid == ::getuid());
  if (same_group && same_user) return;
  launch.set_gid = spec.gid.has_value();
  launch.set_uid = spec.uid.has_value();
  launch.gid = spec.gid.value_or(0);
  launch.uid = spec.uid.value_or(0);
  launch.groups = spec.groups.empty() ? &launch.gid : spec.groups.data();
  launch.group_count = spec.groups.empty() ? (launch.set_gid ? 1 : 0) : spec.groups.size();
}

/// /dev/stdout is /proc/self/fd/1: opening that asks for the pipe's own permissions, and a pipe belongs to
/// whom made it. Without the right to give it away (CAP_CHOWN) it is opened to all; only who may look into
/// the child's /proc can reach it.
void give_outputs(const ChildSpec& spec, const Launch& launch) {
  if (!launch.set_uid) return;
  for (const int output : {spec.out, spec.err}) {
    struct stat info{};
    if (output < 0 || ::fstat(output, &info) != 0 || !S_ISFIFO(info.st_mode)) continue;
    if (::fchown(output, launch.uid, launch.set_gid ? launch.gid : info.st_gid) != 0) ::fchmod(output, 0622);
  }
}

void choose_mark(const ChildSpec& spec, Launch& launch) {
  rlimit64 now{};
  if (spec.limit_mark == 0 || ::getrlimit64(RLIMIT_RTTIME, &now) < 0) return;
  launch.mark = {spec.limit_mark, now.rlim_max};
  launch.set_mark = true;
}

bool choose_limit(const ChildSpec& spec, Launch& launch) {
  if (spec.nofile == 0) return true;
  rlimit64 now{};
  if (::getrlimit64(RLIMIT_NOFILE, &now) < 0) return false;
  launch.nofile = {spec.nofile, std::max<rlim64_t>(now.rlim_max, spec.nofile)};
  launch.set_nofile = true;
  return true;
}

constexpr int shared_with_the_child = CLONE_VM | CLONE_VFORK;

/// The child is born in its control group: nothing has to be moved, which would stop every fork of the
/// machine for some milliseconds (the kernel's cgroup_threadgroup_rwsem). CLONE_INTO_CGROUP is of Linux
/// 5.7; container engines, and systemd's RestrictNamespaces, refuse clone3 as unknown. nullopt: it cannot
/// be done this way.
std::optional<pid_t> clone_into_group(char* stack, int flags, int group, Launch& launch) {
#ifdef ARIZUKO_CLONE3
  static bool refused = false;
  if (refused) return std::nullopt;
  clone_args arguments{};
  arguments.flags = static_cast<std::uint64_t>(flags) | CLONE_INTO_CGROUP;
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<std::uint64_t>(stack - stack_bytes);
  arguments.stack_size = stack_bytes;
  arguments.cgroup = static_cast<std::uint64_t>(group);
  const long result = clone_into_group(arguments, launch);
  if (result > 0) return static_cast<pid_t>(result);
  refused = result == -ENOSYS || result == -EPERM || result == -E2BIG || result == -EINVAL;
  if (!refused && (result == -EAGAIN || result == -ENOMEM)) {
    errno = static_cast<int>(-result);
    return -1;
  }
#else
  static_cast<void>(stack), static_cast<void>(flags), static_cast<void>(group), static_cast<void>(launch);
#endif
  return std::nullopt;
}

/// Makes the child, in its group when it has one; -1, with errno, when that fails.
pid_t make_child(char* stack, const ChildSpec& spec, Launch& launch) {
  const int flags = shared_with_the_child | (launch.first_foreign != 0 ? CLONE_FILES : 0);
  if (spec.group >= 0) {
    if (const auto child = clone_into_group(stack, flags, spec.group, launch)) return *child;
    launch.members = ::openat(spec.group, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (launch.members < 0) {
      launch.error = errno;
      launch.failed = true;
      launch.stage = SpawnStage::joining_the_control_group;
      return -1;
    }
  }
  const pid_t child = ::clone(child_main, stack, flags | SIGCHLD, &launch);
  if (launch.members >= 0) {
    const int error = errno;
    ::close(launch.members);
    errno = error;
  }
  return child;
}

}  // namespace

std::expected<std::string, SpawnError> find_executable(std::string_view program, std::string_view path) {
  if (program.empty()) return failure(SpawnStage::finding_the_program, ENOENT, "\"\"");
  if (program.contains('/')) return std::string(program);
  int error = ENOENT;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t to = std::min(path.find(':', from), path.size());
    const std::string_view folder = path.substr(from, to - from);
    std::string candidate = fmt::format("{}/{}", folder.empty() ? "." : folder, program);
    struct stat info{};
    if (::stat(candidate.c_str(), &info) != 0) {
      if (errno == EACCES) error = EACCES;
    } else if (S_ISREG(info.st_mode)) {
      if (::access(candidate.c_str(), X_OK) == 0) return candidate;
      error = EACCES;  // as execvp(3): looked for further, and said when nothing better is found
    }
    from = to + 1;
  }
  return failure(SpawnStage::finding_the_program, error, fmt::format("{} in PATH {}", program, path));
}

std::uint64_t changed_signals() {
  std::uint64_t changed = 0;
  for (int number = 1; number <= last_signal; ++number) {
    KernelSigaction now;
    const long known = ::syscall(SYS_rt_sigaction, number, nullptr, &now, kernel_sigset_bytes);
    if (known == 0 && now.words[0] != 0) changed |= std::uint64_t{1} << (number - 1);
  }
  return changed;
}

std::expected<pid_t, SpawnError> spawn(const ChildSpec& spec, std::uint64_t reset_signals) {
  char* const stack = child_stack();
  if (stack == nullptr) return failure(SpawnStage::forking, ENOMEM, "a stack for the child");
  const std::vector<char*> argv = pointers(spec.argv);
  const std::vector<char*> environment = pointers(spec.environment);

  Launch launch;
  launch.executable = spec.executable.c_str();
  launch.argv = argv.data();
  launch.environment = environment.data();
  launch.cwd = spec.cwd.empty() ? nullptr : spec.cwd.c_str();
  launch.umask = spec.umask;
  launch.reset_signals = reset_signals;
  choose_user(spec, launch);
  give_outputs(spec, launch);
  choose_mark(spec, launch);
  if (!choose_limit(spec, launch)) return failure(SpawnStage::setting_limits, errno);
  Places& places = Places::get();
  if (!places.prepare()) return failure(SpawnStage::placing_descriptors, errno, "/dev/null");
  if (!places.fill(spec, launch)) {
    const int error = errno;
    places.empty();
    return failure(SpawnStage::placing_descriptors, error);
  }

  // No handler of ours may run in the child, which would run it on our memory.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t child = make_child(stack, spec, launch);
  const int clone_error = errno;
  places.empty();
  // A vfork is over when the child is killed, too: that is no start.
  const bool started = child > 0 && !launch.failed && launch.stage == SpawnStage::executing;
  int status = 0;
  if (child > 0 && !started) {
    // Not left to the reaper, for whom it would be an orphan.
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);

  if (started) return child;
  const SpawnStage stage = launch.stage;
  if (launch.failed) return failure(stage, launch.error, subject_of(stage, spec));
  if (child < 0) return failure(SpawnStage::forking, clone_error);
  return std::unexpected(
      SpawnError{stage, ECHILD, subject_of(stage, spec), WIFSIGNALED(status) ? WTERMSIG(status) : 0});
}

}  // namespace arizuko::host
