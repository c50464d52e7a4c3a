// How a main process ended.
#pragma once

#include <optional>
#include <string>

namespace arizuko::engine {

/// Exactly one of the two is set.
struct ExitStatus {
  std::optional<int> code;    // 0-255
  std::optional<int> signal;  // 1-64
  bool core_dumped = false;
  bool out_of_memory = false;  // the kernel OOM-killed it, as far as the host can tell
  bool success() const { return code == 0; }
  bool operator==(const ExitStatus&) const = default;
};

/// "exited with code 1", "was killed by SIGKILL", "was OOM-killed (SIGKILL)"
std::string to_text(const ExitStatus& status);
/// "SIGTERM"; "signal 63" for a number without a name. Linux x86-64 numbers: signal(7).
std::string signal_name(int number);

}  // namespace arizuko::engine
