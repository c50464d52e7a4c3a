// Whether a SIGHUP says that the terminal is gone, or asks for a reload.
//
// The kernel sends SIGHUP when a terminal hangs up (a closed window, a lost ssh session), a shell passes it
// on, and operators send it to have the plan read again. Asked is the terminal itself: one that has hung up
// cannot be opened any more. Who was started to outlive it (nohup: SIGHUP ignored; setsid, systemd, a
// container's PID 1) has none.
#pragma once

namespace arizuko::posix {

class OwnTerminal {
 public:
  /// At the start, before SIGHUP gets a handler.
  OwnTerminal();
  /// It was there at the start and is gone.
  bool is_lost() const;

 private:
  bool had_one_ = false;
};

}  // namespace arizuko::posix
