// Who looks at conditions hears of the children, too.
#pragma once

#include <string_view>

#include "arizuko/host/process/process_table.hpp"

namespace arizuko::host {

class ChildListener {
 public:
  virtual ~ChildListener() = default;
  /// Whether a line may make a condition of this run hold: cheap, it is asked for each one.
  virtual bool wants_lines(RunKey run) const = 0;
  virtual void line_came(RunKey run, std::string_view line) = 0;
  /// READY=1 came from this run.
  virtual void notified(RunKey run) = 0;
  /// The main process of a run has ended.
  virtual void run_ended(RunKey run) = 0;
  /// The command of an exec condition has ended.
  virtual void check_ended(RunKey check, pid_t pid, int wait_status) = 0;
  /// Children were reaped, and their ends are known.
  virtual void reaped() = 0;
};

}  // namespace arizuko::host
