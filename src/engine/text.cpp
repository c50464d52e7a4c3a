#include <array>

#include <fmt/format.h>

#include "arizuko/engine/exit_status.hpp"
#include "arizuko/engine/rotation.hpp"
#include "arizuko/engine/state.hpp"

namespace arizuko::engine {

std::string_view to_text(State state) {
  switch (state) {
    case State::off: return "off";
    case State::blocked: return "blocked";
    case State::waiting: return "waiting";
    case State::starting: return "starting";
    case State::ready: return "ready";
    case State::unready: return "unready";
    case State::stopping: return "stopping";
    case State::backoff: return "backoff";
    case State::failed: return "failed";
    case State::done: return "done";
  }
  return "?";
}

std::string_view to_text(PodState state) {
  switch (state) {
    case PodState::booting: return "booting";
    case PodState::running: return "running";
    case PodState::stopping: return "stopping";
    case PodState::ended: return "ended";
  }
  return "?";
}

std::string_view to_text(Outcome outcome) {
  switch (outcome) {
    case Outcome::applied: return "applied";
    case Outcome::refused: return "refused";
    case Outcome::superseded: return "superseded";
    case Outcome::rolled_back: return "rolled back";
    case Outcome::rolled_back_in_part: return "rolled back in part";
    case Outcome::interrupted: return "interrupted";
  }
  return "?";
}

std::string_view to_text(HeldWhy why) {
  switch (why) {
    case HeldWhy::guarded: return "guarded";
    case HeldWhy::failed: return "failed";
    case HeldWhy::weaker: return "weaker";
    case HeldWhy::emptied: return "emptied";
    case HeldWhy::needed: return "needed";
    case HeldWhy::unusable: return "unusable";
  }
  return "?";
}

std::string_view to_text(RotationPhase phase) {
  switch (phase) {
    case RotationPhase::restarting: return "restarting";
    case RotationPhase::observing: return "observing";
    case RotationPhase::going_back: return "going back";
  }
  return "?";
}

std::string signal_name(int number) {
  // signal(7), Linux x86-64 and arm64.
  static constexpr std::array<std::string_view, 32> names = {
      "",     "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
      "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
      "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS"};
  if (number > 0 && number < static_cast<int>(names.size())) {
    return fmt::format("SIG{}", names[static_cast<std::size_t>(number)]);
  }
  return fmt::format("signal {}", number);
}

std::string to_text(const ExitStatus& status) {
  if (status.signal && status.out_of_memory) {
    return fmt::format("was OOM-killed ({})", signal_name(*status.signal));
  }
  if (status.signal) {
    return fmt::format("was killed by {}{}", signal_name(*status.signal),
                       status.core_dumped ? " (core dumped)" : "");
  }
  return fmt::format("exited with code {}", status.code.value_or(0));
}

}  // namespace arizuko::engine
