// Why a child could not be started: the stage, the errno and what it is about; and the words for it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace arizuko::host {

enum class SpawnStage : std::uint8_t {
  marking_the_task,
  finding_the_program,
  making_the_log_pipes,
  making_the_control_group,
  emptying_the_control_group,  // of what an earlier arizuko-init has left there
  forking,
  joining_the_control_group,
  starting_a_session,
  resetting_signals,
  placing_descriptors,
  setting_limits,
  switching_the_group,
  switching_the_user,
  dropping_privileges,  // PR_SET_NO_NEW_PRIVS
  entering_the_directory,
  executing,
};

std::string_view to_text(SpawnStage stage);

struct SpawnError {
  SpawnStage stage = SpawnStage::forking;
  int error = 0;        // errno
  std::string subject;  // the path or limit it is about; may be empty
  int killed_by = 0;    // the signal that ended the child in this stage, which then could tell nothing; or 0

  /// True for EAGAIN, EBUSY, ENOMEM, EMFILE, ENFILE, ETXTBSY and a child that was killed: the same call may
  /// succeed later.
  bool passing() const;
};

/// "executing /usr/local/bin/gated: No such file or directory (ENOENT)"
/// with a hint for what operators meet (ENOENT of a file that is there: the interpreter or the musl
/// loader is missing, T39). May read the file that it is about.
std::string to_text(const SpawnError& error);

}  // namespace arizuko::host
