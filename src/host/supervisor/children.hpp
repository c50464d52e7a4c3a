// The children: started and signalled as the engine says, read, reaped; what becomes of them is told.
//
// The end of a main process is told after its last words, and the end of its tree after that.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arizuko/host/process/process_table.hpp"
#include "child.hpp"
#include "child_listener.hpp"
#include "context.hpp"
#include "read_goal.hpp"
#include "starter.hpp"

namespace arizuko::host {

class Children {
 public:
  /// All three outlive this. `when_read`: a slice of the outputs was read.
  Children(const Context& context, Spawner& spawner, ServiceGroups& groups, std::function<void()> when_read);
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  /// Before anything is spawned. `listener` outlives this.
  void begin(ChildListener& listener);

  void spawn(const engine::Spawn& action);
  void signal(const engine::Signal& action);
  /// Collects who has ended, a bounded number in one turn of the loop.
  void reap();
  /// What is not read yet of outputs that may make something ready, and is being read from now on.
  std::vector<ReadGoal> begin_to_read();
  /// Ends processes that could not be attributed to any service, and outlived all of them. Blocks, 200 ms at
  /// the most.
  void end_strays();
  /// The run is over: what lies in the outputs is read.
  void end();

  /// nullptr: nothing of it is left.
  const Child* find(engine::RunId run) const;
  ProcessTable& table() { return table_; }
  Starter& starter() { return starter_; }
  /// instance_mark() of the data directory.
  std::uint32_t instance() const { return instance_; }

 private:
  std::expected<pid_t, SpawnError> start(const engine::Spawn& action);
  std::string notify_address(engine::RunId run, RunNotify& notify);
  void add_output(engine::RunId run, Child& child, Stream stream, int descriptor);
  void output_ended(engine::RunId run, Stream stream);
  void take_line(RunKey run, Lines::Origin origin, const Line& line);
  void take_notification(RunKey run, const Notification& told);

  /// A main process was reaped; its last words come before its end.
  struct Ending {
    engine::RunId run;
    int wait_status;
    std::vector<ReadGoal> last_words;
  };
  void main_ended(engine::RunId run, int wait_status, LogBudget& budget);
  void tell_end(const Ending& ending);
  void tell_ends();
  env::Foreign last_words_of(engine::RunId run, const Child& child) const;
  void tell_empty_trees();
  std::vector<std::shared_ptr<LogPipe>> open_outputs() const;
  void input_was_read();

  const Context& context_;
  Starter starter_;
  std::function<void()> when_read_;
  std::shared_ptr<LogReader> reader_;
  ChildListener* listener_ = nullptr;  // from begin() on
  std::uint32_t instance_ = 0;
  ProcessTable table_;
  std::map<engine::RunId, Child> children_;
  std::deque<Ending> endings_;
  bool reap_posted_ = false;
  bool over_ = false;
};

}  // namespace arizuko::host
