// The inside of the supervisor. Each file holds one matter:
//
//   supervisor.cpp            the loop: events in, actions out, timer, signals
//   supervisor_actions.cpp    carries out each action
//   supervisor_turns.cpp      how much is done in one turn of the loop, and in which order
//   supervisor_observe.cpp    what is seen of processes, logs and conditions
//   supervisor_checks.cpp     what conditions need: commands, values, who is ready, sd_notify
//   supervisor_groups.cpp     control groups of the services
//   supervisor_report.cpp     what people and Kubernetes are told
//   supervisor_values.cpp     values and plans that change
//   supervisor_redaction.cpp  secret values in what leaves us
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>

#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "arizuko/env/redaction.hpp"
#include "arizuko/host/groups/control_groups.hpp"
#include "arizuko/host/process/process_table.hpp"
#include "arizuko/host/sources/source_watcher.hpp"
#include "arizuko/host/state/guarded_store.hpp"
#include "arizuko/host/supervisor/supervisor.hpp"
#include "arizuko/host/supervisor/termination_message.hpp"
#include "arizuko/posix/own_terminal.hpp"
#include "history.hpp"
#include "host/conditions/condition_watcher.hpp"
#include "host/conditions/file_identity.hpp"
#include "host/conditions/notify_socket.hpp"
#include "host/conditions/run_notify.hpp"
#include "host/groups/memory_events.hpp"
#include "host/logs/log_pipe.hpp"
#include "host/logs/log_reader.hpp"
#include "host/logs/repeated_lines.hpp"
#include "host/state/task_marks.hpp"
#include "locked_memory.hpp"

namespace arizuko::host {

inline constexpr std::string_view own_name = "arizuko-init";

struct Supervisor::Impl {
  Impl(boost::asio::io_context& loop, Options given);
  ~Impl();

  // --- supervisor.cpp
  void attend(std::function<void(int)> when_ended);
  void start();
  void let_go_of_sources();
  void memory_was_short();
  void wait_for_signals();
  void on_signal(int number);
  void on_hangup();
  const plan::Service& service(engine::ServiceId id) const { return engine.plan()->services[id]; }

  // --- supervisor_turns.cpp
  void push(engine::Event event);  // and carry out what follows, unless that is under way already
  void pump();
  void pump_soon();
  bool all_is_done() const { return inbox.empty() && to_do.empty(); }
  void handle_next();
  void arm_timer();
  void time_is_over();
  void tick_when_read(int rounds);
  void input_was_read();

  // --- supervisor_actions.cpp
  void carry_out(const engine::Action& action);
  void carry_out(const engine::Spawn& action);
  void carry_out(const engine::Signal& action);
  void carry_out(const engine::Watch& action);
  void carry_out(const engine::Unwatch& action);
  void carry_out(const engine::TaskDone& action);
  void carry_out(const engine::ReadSources& action);
  void carry_out(const engine::LoginFiles& action);
  void forget_old_logins();
  void carry_out(const engine::Remember& action);
  void carry_out(const engine::Note& action);
  void carry_out(const engine::Exit& action);
  std::expected<pid_t, SpawnError> spawn_child(const plan::Service& what,
                                               std::expected<ChildSpec, SpawnError> spec);
  std::string notify_address(RunKey run);
  std::optional<FileIdentity> file_before(RunKey run, std::uint32_t watch) const;
  void end_strays();
  void finish(const engine::Exit& action);

  // --- supervisor_observe.cpp
  void reap();
  struct Ending;
  void main_ended(RunKey run, int wait_status, LogBudget& budget);
  void tell_end(const Ending& ending);
  std::string last_words_of(RunKey run) const;
  void tell_ends();
  void look_for_empty_trees();
  std::shared_ptr<LogPipe> add_pipe(RunKey run, Stream stream, int descriptor);
  void take_line(RunKey run, Stream stream, LogHistory::Handle handle, const Line& line);

  // --- supervisor_checks.cpp
  WatcherHooks watcher_hooks();
  std::expected<pid_t, NotStarted> start_exec(RunKey run, const plan::ExecCheck& check);
  void kill_exec(pid_t pid);
  void check_ended(RunKey check, pid_t pid, int wait_status);
  void end_trees_of_checks();
  void take_notification(RunKey run, const Notification& told);

  // --- supervisor_groups.cpp
  void begin_groups();
  std::expected<GroupDirectory, SpawnError> group_of(const plan::Service& what);
  void tell_group_trouble(const std::string& name, const std::string& trouble);
  std::uint64_t new_memory_kills(const std::string& name);
  void log_memory_kills(const std::string& name, std::uint64_t killed);
  bool ended_for_want_of_memory(const std::string& name, int wait_status);
  void report_limits(const plan::Plan& plan);
  GroupFacts group_facts() const;

  // --- supervisor_report.cpp
  void log(Level level, const std::string& text);
  void log_note(const engine::Note& note);
  void something_changed();  // tells the subscribers, once a turn of the loop
  void tell_subscribers();
  void refresh_termination_message();
  void write_termination_message();

  // --- supervisor_values.cpp
  CommandResult reload(const std::string& by);
  void tell_refusal(engine::InputRefused::Input input, const std::string& cause, const std::string& reason);
  void number_values(env::Snapshot snapshot);
  enum class Answer { when_changed, always, again };
  void read_values_again(Answer answer, const std::string& cause, std::optional<engine::Instant> switched);
  enum class Offer { followed, again, asked };
  void offer_values(Offer how, std::optional<engine::Instant> switched);
  void report_guarded_store();
  bool has_data_of_earlier_runs() const;
  void write_fingerprints_later();
  void note_ages();

  // --- supervisor_redaction.cpp
  void learn_secrets();
  void clean(engine::Event& event);

  boost::asio::io_context& io;
  Options options;
  engine::Engine engine;
  std::function<void(int)> ended;

  std::deque<engine::Event> inbox;
  std::deque<engine::Action> to_do;  // of the event before those of the inbox
  bool pumping = false;
  bool pump_posted = false;
  std::optional<engine::Instant> shortage_told;
  bool over = false;
  env::Generation generation = 0;
  env::SnapshotPtr newest;       // the last values that were read and given to the engine
  engine::PlanPtr sources_plan;  // whose sources are read: newer than the engine's while that has to wait
  std::unique_ptr<SourceWatcher> sources;
  bool sources_released = false;
  std::function<void()> stop_begins;
  boost::asio::steady_timer timer;
  std::optional<engine::Instant> armed;
  OwnTerminal terminal;  // before SIGHUP is handled
  bool hung_up = false;
  boost::asio::signal_set signals;
  std::uint64_t changed_by_us = every_signal;  // what each child sets back: changed_signals(), read once

  ProcessTable table;
  ConditionWatcher watcher;
  std::map<RunKey, RunNotify> notify;  // of each run with a notify condition
  TaskMarks marks;
  std::optional<GuardedStore> guarded;  // from the start on
  boost::asio::steady_timer guarded_timer;
  std::chrono::seconds guarded_pause{0};
  env::SnapshotPtr aged;  // the values that key_since tells of
  std::map<std::string, engine::Instant, std::less<>> key_since;
  std::uint32_t instance = 0;  // instance_mark() of the data directory
  std::map<RunKey, std::map<std::uint32_t, FileIdentity>> files_before;  // of ready.file, by watch number
  std::map<RunKey, std::uint64_t> lines_before;  // the last line in `logs` before the run
  std::map<RunKey, env::SnapshotPtr> values;     // of each living run: for exec conditions
  std::set<RunKey> emptying;                     // main process gone, leftovers not
  std::set<RunKey> ended_checks;                 // their command is gone, what it has started is not
  std::uint32_t last_check = 0;
  using OpenPipes = std::multimap<RunKey, std::shared_ptr<LogPipe>>;
  OpenPipes pipes;
  std::shared_ptr<LogReader> log_reader;
  /// As far as a pipe has to be read before something is told.
  struct Goal {
    std::shared_ptr<LogPipe> pipe;
    std::uint64_t taken;
    bool reached() const { return !pipe->is_open() || pipe->taken() >= taken; }
  };
  /// A main process was reaped; its last words come before its end.
  struct Ending {
    RunKey run;
    int wait_status;
    std::vector<Goal> last_words;
  };
  std::deque<Ending> endings;
  bool reap_posted = false;
  enum class TickIs { not_due, after_the_input, on_its_way };
  TickIs tick = TickIs::not_due;
  std::vector<Goal> before_a_tick;  // of logs that may make something ready

  std::map<std::string, std::string> group_troubles;  // as last told, by service
  std::optional<MemoryEvents> memory_events;
  std::map<std::string, std::uint64_t> memory_kills_seen;  // by service
  std::optional<OwnMemoryEvents> own_memory;               // without memory_events
  std::uint64_t own_memory_kills_seen = 0;

  LockedMemory secret_memory;
  env::Redactor redactor{&secret_memory};
  std::vector<std::string> short_secrets;  // as last warned of
  std::string last_refusal;                // of a plan or of values, as last told
  std::string redacted_line;               // the line at hand, where it held a secret

  History history;
  LogHistory logs;
  RepeatedLines repeated;
  LogOutput output;
  TerminationMessage termination;
  boost::asio::steady_timer termination_timer;
  engine::Instant termination_written{};
  engine::PodState termination_state = engine::PodState::booting;  // as last written
  Counters counted;
  std::map<std::uint64_t, std::function<void()>> subscribers;
  std::uint64_t last_subscription = 0;
  bool telling = false;          // tell_subscribers is posted
  bool termination_due = false;  // the termination message is out of date
  std::string culprit;           // of the end
};

}  // namespace arizuko::host
