// The one initializer of a supervised child: all that stands between clone and execve but for signals, which
// are the launcher's.
#pragma once

#include <cstdint>
#include <filesystem>

#include <sys/resource.h>
#include <sys/types.h>

#include <boost/system/error_code.hpp>

#include "arizuko/host/process/child_spec.hpp"
#include "arizuko/posix/descriptor.hpp"
#include "session_launcher.hpp"

namespace arizuko::host {

/// Three descriptors above 2 that stay for good and lie low: /dev/null, and the places into which the
/// outputs of the next child are put. Copying a table of descriptors and closing each at execve costs
/// time for every service there is (two pipes each); with these, a child is given only what lies below
/// first_foreign(). Between two starts both places hold /dev/null, so that no pipe is kept open.
class SpawnPlaces {
 public:
  /// Tries to prepare().
  SpawnPlaces() noexcept;
  /// Makes what is not there yet; false, with errno, while it cannot be had.
  bool prepare() noexcept;
  /// False, with errno. -1: /dev/null.
  bool fill(int out, int err) noexcept;
  void empty() noexcept;

  int null() const { return null_.get(); }
  int out() const { return out_.get(); }
  int err() const { return err_.get(); }
  /// 0: this kernel has no way to leave a shared table (CLOSE_RANGE_UNSHARE, Linux 5.9; old seccomp profiles
  /// refuse the call).
  unsigned first_foreign() const;

 private:
  posix::Descriptor null_, out_, err_;
  bool can_unshare_;
};

/// Makes of the child what a ChildSpec says; both outlive it. For one launch.
class ChildSetup {
 public:
  static constexpr Descriptors descriptors = Descriptors::low;
  static constexpr SpawnStage stage = SpawnStage::starting_a_session;
  using Path = std::filesystem::path;
  using Error = boost::system::error_code;

  ChildSetup(SpawnPlaces& places, const ChildSpec& spec) noexcept : places_(places), spec_(spec) {}

  Error on_setup(SessionLauncher& launcher, const Path& executable, const char* const* argv) noexcept;
  Error on_exec_setup(SessionLauncher& launcher, const Path& executable, const char* const* argv) noexcept;
  void on_success(SessionLauncher&, const Path&, const char* const*) noexcept { places_.empty(); }
  void on_error(SessionLauncher&, const Path&, const char* const*, const Error&) noexcept { places_.empty(); }

 private:
  void choose_user() noexcept;
  void give_outputs() const noexcept;
  bool choose_limits() noexcept;
  bool place_descriptors(Progress& progress) noexcept;
  bool set_limits(Progress& progress) const noexcept;
  bool switch_user(Progress& progress) const noexcept;

  SpawnPlaces& places_;
  const ChildSpec& spec_;
  rlimit64 nofile_{};
  rlimit64 mark_{};
  bool set_mark_ = false;
  bool set_uid_ = false;
  bool set_gid_ = false;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  const gid_t* groups_ = nullptr;
  std::size_t group_count_ = 0;
};

}  // namespace arizuko::host
