// The reason of the end where Kubernetes looks for it: a JSON object of at most 4096 bytes in
// /dev/termination-log, kept up to date while running so that it survives SIGKILL and the OOM killer.
//
// Written only where the file exists and is a writable regular file. Rewritten in place (the kubelet
// mounts the file itself, so it cannot be replaced by rename), only when its content changed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace arizuko::host {

inline constexpr std::size_t max_termination_bytes = 4096;

struct TerminationReport {
  std::optional<int> exit_code;         // unset while running
  std::string state;                    // "running", "stopping", "ended"
  std::string reason;                   // one sentence
  std::vector<std::string> services;    // those not well: "gated: backoff: exited with code 1"
  std::vector<std::string> last_lines;  // of the culprit; the first to be left out when it is too long
};

/// At most max_termination_bytes of valid JSON; UTF-8 is never cut inside a character.
std::string to_json(const TerminationReport& report);

class TerminationMessage {
 public:
  explicit TerminationMessage(std::string path) : path_(std::move(path)) {}
  /// False when there is no such file or it cannot be written; never an exception.
  bool write(const TerminationReport& report);

 private:
  std::string path_;
  std::string last_;
};

}  // namespace arizuko::host
