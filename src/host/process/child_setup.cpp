#include "child_setup.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace arizuko::host {
namespace {

using Error = boost::system::error_code;

ARIZUKO_IN_CHILD Error last_error() noexcept { return {errno, boost::system::system_category()}; }

/// /dev/null, above 2.
posix::Descriptor open_null() noexcept {
  posix::Descriptor opened(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (opened.get() > 2 || !opened.is_open()) return opened;
  return posix::Descriptor(::fcntl(opened.get(), F_DUPFD_CLOEXEC, 3));
}

bool put(int descriptor, int place) noexcept { return ::dup3(descriptor, place, O_CLOEXEC) >= 0; }

ARIZUKO_IN_CHILD bool duplicate_in_child(int from, int to) noexcept {
  // dup3 and not dup2: arm64 has no dup2. `from` is above 2, so the two never are the same.
  return ::syscall(SYS_dup3, from, to, 0) >= 0;
}

}  // namespace

// ---------------------------------------------------------------------------------------------

SpawnPlaces::SpawnPlaces() noexcept
    : can_unshare_(::syscall(SYS_close_range, ~0U, ~0U, CLOSE_RANGE_UNSHARE) == 0) {
  prepare();
}

bool SpawnPlaces::prepare() noexcept {
  for (posix::Descriptor* place : {&null_, &out_, &err_}) {
    if (!place->is_open()) *place = open_null();
    if (!place->is_open()) return false;
  }
  return true;
}

bool SpawnPlaces::fill(int out, int err) noexcept {
  return (out < 0 || put(out, out_.get())) && (err < 0 || put(err, err_.get()));
}

void SpawnPlaces::empty() noexcept {
  const ErrnoKept errno_kept;
  for (const posix::Descriptor* place : {&out_, &err_}) {
    if (null_.is_open() && place->is_open()) put(null_.get(), place->get());
  }
}

unsigned SpawnPlaces::first_foreign() const {
  return can_unshare_ ? static_cast<unsigned>(std::max({null(), out(), err()})) + 1 : 0;
}

// ---------------------------------------------------------------------------------------------
// Before the child

/// Where the user is the wanted one already (a pod's), nothing is switched: no privilege is needed.
void ChildSetup::choose_user() noexcept {
  const bool same_group = !spec_.gid || (*spec_.gid == ::getegid() && *spec_.gid == ::getgid());
  const bool same_user = !spec_.uid || (*spec_.uid == ::geteuid() && *spec_.uid == ::getuid());
  if (same_group && same_user) return;
  set_gid_ = spec_.gid.has_value();
  set_uid_ = spec_.uid.has_value();
  gid_ = spec_.gid.value_or(0);
  uid_ = spec_.uid.value_or(0);
  groups_ = spec_.groups.empty() ? &gid_ : spec_.groups.data();
  group_count_ = spec_.groups.empty() ? (set_gid_ ? 1 : 0) : spec_.groups.size();
}

/// /dev/stdout is /proc/self/fd/1: opening that asks for the pipe's own permissions, and a pipe belongs to
/// whom made it. Without the right to give it away (CAP_CHOWN) it is opened to all; only who may look into
/// the child's /proc can reach it.
void ChildSetup::give_outputs() const noexcept {
  if (!set_uid_) return;
  for (const int output : {spec_.out, spec_.err}) {
    struct stat info{};
    if (output < 0 || ::fstat(output, &info) != 0 || !S_ISFIFO(info.st_mode)) continue;
    if (::fchown(output, uid_, set_gid_ ? gid_ : info.st_gid) != 0) ::fchmod(output, 0622);
  }
}

bool ChildSetup::choose_limits() noexcept {
  rlimit64 now{};
  if (spec_.limit_mark != 0 && ::getrlimit64(RLIMIT_RTTIME, &now) == 0) {
    mark_ = {spec_.limit_mark, now.rlim_max};
    set_mark_ = true;
  }
  if (spec_.nofile == 0) return true;
  if (::getrlimit64(RLIMIT_NOFILE, &now) < 0) return false;
  nofile_ = {spec_.nofile, std::max<rlim64_t>(now.rlim_max, spec_.nofile)};
  return true;
}

Error ChildSetup::on_setup(SessionLauncher& launcher, const Path&, const char* const*) noexcept {
  choose_user();
  give_outputs();
  launcher.progress.stage = SpawnStage::setting_limits;
  if (!choose_limits()) return last_error();
  launcher.progress.stage = SpawnStage::placing_descriptors;
  if (!places_.prepare()) return last_error();
  launcher.first_foreign = places_.first_foreign();
  if (!places_.fill(spec_.out, spec_.err)) return last_error();
  return {};
}

// ---------------------------------------------------------------------------------------------
// In the child

ARIZUKO_IN_CHILD bool ChildSetup::place_descriptors(Progress& progress) noexcept {
  progress.stage = SpawnStage::placing_descriptors;
  return duplicate_in_child(places_.null(), 0) && duplicate_in_child(places_.out(), 1) &&
         duplicate_in_child(places_.err(), 2);
}

ARIZUKO_IN_CHILD bool ChildSetup::set_limits(Progress& progress) const noexcept {
  progress.stage = SpawnStage::setting_limits;
  // Without the mark it runs just as well.
  if (set_mark_) ::syscall(SYS_prlimit64, 0, RLIMIT_RTTIME, &mark_, nullptr);
  return spec_.nofile == 0 || ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &nofile_, nullptr) == 0;
}

ARIZUKO_IN_CHILD bool ChildSetup::switch_user(Progress& progress) const noexcept {
  progress.stage = SpawnStage::switching_the_group;
  if ((set_gid_ || set_uid_) && ::syscall(SYS_setgroups, group_count_, groups_) < 0) return false;
  if (set_gid_ && ::syscall(SYS_setresgid, gid_, gid_, gid_) < 0) return false;
  progress.stage = SpawnStage::switching_the_user;
  return !set_uid_ || ::syscall(SYS_setresuid, uid_, uid_, uid_) == 0;
}

ARIZUKO_IN_CHILD Error ChildSetup::on_exec_setup(SessionLauncher& launcher, const Path&,
                                                 const char* const*) noexcept {
  Progress& progress = launcher.progress;  // its stage is the first one
  if (::syscall(SYS_setsid) < 0) return last_error();
  if (!place_descriptors(progress) || !set_limits(progress) || !switch_user(progress)) return last_error();
  progress.stage = SpawnStage::dropping_privileges;
  if (::syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return last_error();
  progress.stage = SpawnStage::entering_the_directory;
  if (!spec_.cwd.empty() && ::syscall(SYS_chdir, spec_.cwd.c_str()) < 0) return last_error();
  ::syscall(SYS_umask, spec_.umask);
  return {};
}

}  // namespace arizuko::host
