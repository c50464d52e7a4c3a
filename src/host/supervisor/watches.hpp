// The conditions that the engine wants watched, and what looking at them needs of the children.
#pragma once

#include "checks.hpp"
#include "host/conditions/condition_watcher.hpp"

namespace arizuko::host {

class Watches final : public ChildListener {
 public:
  /// Both outlive this.
  Watches(const Context& context, Children& children);

  void watch(const engine::Watch& action);
  void unwatch(const engine::Unwatch& action);

  bool wants_lines(RunKey run) const override { return watcher_.wants_log(run); }
  void line_came(RunKey run, std::string_view line) override { watcher_.log_line(run, line); }
  void notified(RunKey run) override { watcher_.notified(run); }
  void run_ended(RunKey run) override { watcher_.unwatch_run(run); }
  void check_ended(RunKey check, pid_t pid, int wait_status) override;
  void reaped() override { checks_.end_trees(); }

 private:
  WatcherHooks hooks();
  std::optional<RunKey> ready_run(std::string_view service) const;
  env::Environment environment_of(RunKey run) const;

  const Context& context_;
  Children& children_;
  Checks checks_;
  ConditionWatcher watcher_;
};

}  // namespace arizuko::host
