// The commands of exec conditions, and everything that they start: each is a tree of its own.
#pragma once

#include <cstdint>
#include <expected>
#include <set>

#include "children.hpp"
#include "host/conditions/condition_watcher.hpp"

namespace arizuko::host {

class Checks {
 public:
  /// Both outlive this.
  Checks(const Context& context, Children& children) : context_(context), children_(children) {}

  /// Starts the command with the environment of the run that it looks at, its output thrown away.
  std::expected<pid_t, NotStarted> start(RunKey run, const plan::ExecCheck& check);
  /// The command took too long: it is killed, with everything that it has started.
  void kill(pid_t command);
  /// The command was reaped.
  void ended(RunKey check) { ended_.insert(check); }
  /// A look is over when its command is: whatever that left behind, in its session or out of it, is killed,
  /// also when all went well.
  void end_trees();

 private:
  const Context& context_;
  Children& children_;
  std::uint32_t last_ = 0;
  std::set<RunKey> ended_;  // their command is gone, what it has started is not
};

}  // namespace arizuko::host
