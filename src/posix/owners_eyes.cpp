#include "arizuko/posix/owners_eyes.hpp"

#include <cstdio>

#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace arizuko::posix {
namespace {

constexpr int exit_our_fault = 70;
constexpr auto nobody_asked = static_cast<uid_t>(-1);  // setfsuid(2): changes nothing, and tells what it is

void see_as_ourselves() {
  ::setfsuid(::geteuid());
  ::setfsgid(::getegid());
}

}  // namespace

OwnersEyes::OwnersEyes(pid_t pid) {
  if (::geteuid() != 0) return;
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%d", pid);
  struct stat owner{};
  if (::stat(path, &owner) != 0 || owner.st_uid == 0) return;
  // A change of identity clears these two: prctl(2).
  dumpable_ = ::prctl(PR_GET_DUMPABLE);
  ::prctl(PR_GET_PDEATHSIG, &death_signal_);
  ::setfsgid(owner.st_gid);
  ::setfsuid(owner.st_uid);
  open_ = true;  // also when the kernel refused: then it shows no more than before
}

OwnersEyes::~OwnersEyes() {
  if (!open_) return;
  see_as_ourselves();
  // setfsuid(2) takes the effective user always. Should it not, then root's files are out of our reach from
  // here on: better the end than a supervisor that works with half of its rights.
  if (static_cast<uid_t>(::setfsuid(nobody_asked)) != ::geteuid()) ::_exit(exit_our_fault);
  if (dumpable_ == 1) ::prctl(PR_SET_DUMPABLE, 1);
  if (death_signal_ != 0) ::prctl(PR_SET_PDEATHSIG, death_signal_);
}

}  // namespace arizuko::posix
