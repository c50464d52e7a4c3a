#include "children.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <fmt/format.h>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include "arizuko/posix/descriptor.hpp"
#include "child_texts.hpp"
#include "launcher.hpp"

namespace arizuko::host {

namespace {

// How long processes that nobody claims may take to die at the very end.
constexpr int stray_patience_ms = 200;
// The rest in the next turn.
constexpr std::size_t most_reaped_a_turn = 256;
constexpr LogBudget last_words_of_a_turn = LogReader::a_turn;
// Of each output of a run, before its end is told: what comes on top is somebody's who flooded.
constexpr std::size_t most_last_words = 128 * 1024;
// Of each log that may make something ready, before a deadline is judged.
constexpr std::size_t read_before_a_tick = 128 * 1024;
// What is still read of all outputs when the run is over: less than a second's work.
constexpr LogBudget at_the_end{16 * 1024 * 1024, 256 * 1024, 16 * 1024};

struct OutputPipe {
  posix::Descriptor read_end;
  posix::Descriptor write_end;
};

/// nullopt, with errno.
std::optional<OutputPipe> make_output_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  // The two ends are separate descriptions: the child's stays blocking.
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return OutputPipe{posix::Descriptor(ends[0]), posix::Descriptor(ends[1])};
}

bool wants_notify(const plan::Service& service) {
  return std::ranges::any_of(service.ready, [](const plan::Condition& condition) {
    return std::holds_alternative<plan::NotifyCheck>(condition.check);
  });
}

}  // namespace

Children::Children(const Context& context, Spawner& spawner, ServiceGroups& groups,
                   std::function<void()> when_read)
    : context_(context),
      starter_(spawner, groups),
      when_read_(std::move(when_read)),
      reader_(std::make_shared<LogReader>(context.io)) {
  reader_->when_read([this] { input_was_read(); });
}

// The reader may be closed in here.
void Children::input_was_read() {
  if (!over_) tell_ends();
  if (!over_) when_read_();
}

Children::~Children() {
  reader_->close();
  for (const auto& pipe : open_outputs()) pipe->close();
}

void Children::begin(ChildListener& listener) {
  listener_ = &listener;
  instance_ = instance_mark(context_.engine.plan()->pod.data_dir);
}

const Child* Children::find(engine::RunId run) const {
  const auto found = children_.find(run);
  return found == children_.end() ? nullptr : &found->second;
}

std::vector<std::shared_ptr<LogPipe>> Children::open_outputs() const {
  std::vector<std::shared_ptr<LogPipe>> open;
  for (const auto& [run, child] : children_) {
    for (const std::shared_ptr<LogPipe>& pipe : child.outputs) {
      if (pipe) open.push_back(pipe);
    }
  }
  return open;
}

// ---------------------------------------------------------------------------------------------
// Beginnings

void Children::spawn(const engine::Spawn& action) {
  const auto pid = start(action);
  if (pid) return context_.inbox.put(engine::Spawned{action.run, *pid});
  context_.inbox.put(
      engine::SpawnFailed{action.run, context_.washed(to_text(pid.error())), pid.error().passing()});
}

std::expected<pid_t, SpawnError> Children::start(const engine::Spawn& action) {
  const plan::Service& what = context_.service(action.run.service);
  const auto failed = [](SpawnStage stage, std::string subject) {
    return std::unexpected(SpawnError{stage, errno, std::move(subject)});
  };
  if (what.creates && !context_.marks.begin(what.name))
    return failed(SpawnStage::marking_the_task, context_.state.path());
  prepare_start(*context_.engine.plan(), what, context_.state.data());
  const auto group = starter_.group_of(what);
  if (!group) return std::unexpected(group.error());
  auto out = make_output_pipe();
  if (!out) return failed(SpawnStage::making_the_log_pipes, "");
  auto err = make_output_pipe();
  if (!err) return failed(SpawnStage::making_the_log_pipes, "");

  Child child{.values = action.snapshot};
  const RunFacts facts{run_mark(what.name, action.run.number, instance_),
                       notify_address(action.run, child.notify), out->write_end.get(), err->write_end.get(),
                       group->descriptor()};
  child.files_before = ready_files(what);
  child.lines_before = context_.reporter.lines().history().last_seq();
  const auto pid = starter_.start(what, child_spec(*context_.engine.plan(), what, *action.snapshot, facts));
  if (!pid) return pid;
  table_.add({action.run}, *pid, facts.mark);
  Child& kept = children_.emplace(action.run, std::move(child)).first->second;
  add_output(action.run, kept, Stream::out, out->read_end.release());
  add_output(action.run, kept, Stream::err, err->read_end.release());
  return pid;
}

std::string Children::notify_address(engine::RunId run, RunNotify& notify) {
  const plan::Service& what = context_.service(run.service);
  if (!wants_notify(what)) return "";
  try {
    notify.socket = std::make_unique<NotifySocket>(
        context_.io, [this, run](const Notification& told) { take_notification({run}, told); });
    return notify.socket->address();
  } catch (const boost::system::system_error& error) {
    context_.reporter.log(Level::error,
                          fmt::format("{}: no socket for sd_notify: {}; its notify condition will not hold",
                                      what.name, error.what()));
    return "";
  }
}

void Children::add_output(engine::RunId run, Child& child, Stream stream, int descriptor) {
  const Lines::Origin origin = context_.reporter.lines().origin(context_.service(run.service).name, stream);
  const auto pipe = std::make_shared<LogPipe>(
      context_.io, reader_, descriptor,
      [this, run, origin](const Line& line) {
        try {
          take_line({run}, origin, line);
        } catch (const std::bad_alloc&) {
          context_.reporter.lines().lost();
        }
      },
      [this, run, stream] { output_ended(run, stream); });
  child.output(stream) = pipe;
  pipe->start();
}

void Children::signal(const engine::Signal& action) {
  switch (action.target) {
    case engine::Target::main: table_.signal_main({action.run}, action.number); break;
    case engine::Target::leftovers:
      table_.signal_leftovers({action.run}, action.number);
      tell_empty_trees();
      break;
  }
}

// ---------------------------------------------------------------------------------------------
// What they say

// The way that every line takes: keep it short.
void Children::take_line(RunKey run, Lines::Origin origin, const Line& line) {
  if (listener_->wants_lines(run)) listener_->line_came(run, line.text);
  const plan::Service& what = context_.service(run.service);
  context_.reporter.of_child(origin, what.name, line, what.drop);
}

void Children::output_ended(engine::RunId run, Stream stream) {
  const auto child = children_.find(run);
  if (child == children_.end()) return;
  child->second.output(stream).reset();
  if (child->second.is_over()) children_.erase(child);
}

// Whose it is follows from the address, which no other run was given: the sender may be gone by now. But the
// names of abstract sockets can be read by everybody, so who is known to be somebody else is not believed.
void Children::take_notification(RunKey run, const Notification& told) {
  const auto child = children_.find(run);
  if (child == children_.end() || child->second.state != Child::State::running) return;
  const plan::Service& what = context_.service(run.service);
  const std::optional<RunKey> owner = told.sender > 0 ? table_.owner_of(told.sender) : std::nullopt;
  Sender sender = Sender::unknown;
  if (owner) sender = owner->run() == run ? Sender::itself : Sender::another_run;
  const NotificationVerdict verdict =
      judge(told, sender, owner ? context_.service(owner->service).name : "", what, ::geteuid());
  if (!verdict.remark.empty() && !std::exchange(child->second.notify.said, true))
    context_.reporter.log(Level::warn, fmt::format("{}: {}", what.name, verdict.remark));
  if (verdict.is_taken && told.ready) listener_->notified(run);
}

std::vector<ReadGoal> Children::begin_to_read() {
  std::vector<ReadGoal> goals;
  for (const auto& [run, child] : children_) {
    if (!listener_->wants_lines({run})) continue;
    for (const std::shared_ptr<LogPipe>& pipe : child.outputs) {
      if (!pipe) continue;
      const ReadGoal goal{pipe, pipe->mark(read_before_a_tick)};
      if (goal.reached()) continue;
      goals.push_back(goal);
      reader_->read_soon(pipe);
    }
  }
  return goals;
}

// ---------------------------------------------------------------------------------------------
// Ends

void Children::reap() {
  LogBudget budget = last_words_of_a_turn;
  const std::vector<Reaped> reaped = table_.reap(most_reaped_a_turn);
  for (const Reaped& each : reaped) {
    if (!each.main) continue;
    if (each.main->is_check()) {
      listener_->check_ended(*each.main, each.pid, each.wait_status);
    } else {
      main_ended(*each.main, each.wait_status, budget);
    }
  }
  if (listener_ != nullptr) listener_->reaped();
  tell_empty_trees();
  context_.inbox.go_on();
  if (reaped.size() < most_reaped_a_turn || std::exchange(reap_posted_, true)) return;
  boost::asio::post(context_.io, [this] {
    reap_posted_ = false;
    if (!over_) reap();
  });
}

// Its last words come before its end: at once as a rule, else when they are read, in the turns of the reader.
void Children::main_ended(engine::RunId run, int wait_status, LogBudget& budget) {
  Ending ending{run, wait_status, {}};
  const auto child = children_.find(run);
  if (child == children_.end()) return;
  const auto outputs = child->second.outputs;  // a copy: go_on() may end one
  for (const std::shared_ptr<LogPipe>& pipe : outputs) {
    if (!pipe) continue;
    const ReadGoal goal{pipe, pipe->mark(most_last_words)};
    if (!budget.spent()) pipe->go_on(pipe->read(budget));
    if (goal.reached()) continue;
    ending.last_words.push_back(goal);
    reader_->read_soon(pipe);
  }
  if (ending.last_words.empty()) return tell_end(ending);
  endings_.push_back(std::move(ending));
}

void Children::tell_ends() {
  const auto is_read = [](const Ending& each) { return all_reached(each.last_words); };
  std::vector<Ending> told;
  std::ranges::copy_if(endings_, std::back_inserter(told), is_read);
  if (told.empty()) return;
  std::erase_if(endings_, is_read);
  for (const Ending& each : told) tell_end(each);
  context_.inbox.go_on();
}

void Children::tell_end(const Ending& ending) {
  const RunKey run{ending.run};
  const auto found = children_.find(ending.run);
  if (found == children_.end()) return;
  Child& child = found->second;
  listener_->run_ended(run);
  child.notify.socket.reset();
  const env::Washed leftovers = context_.washed(names_of(table_.leftovers(run)));
  engine::ExitStatus status = exit_status(ending.wait_status);
  status.out_of_memory = starter_.ended_out_of_memory(context_.service(run.service), ending.wait_status);
  context_.inbox.put(engine::Exited{run, status, leftovers, context_.washed(last_words_of(run, child))});
  child.values.reset();
  child.state = Child::State::ended;
  if (!leftovers.empty()) return;
  table_.forget(run);
  child.state = Child::State::gone;
  if (child.is_over()) children_.erase(found);
}

/// The last line that this run wrote. Empty: it wrote none.
env::Foreign Children::last_words_of(engine::RunId run, const Child& child) const {
  const std::vector<KeptLine> last =
      context_.reporter.lines().history().tail({context_.service(run.service).name}, 1);
  if (last.empty() || last.front().seq <= child.lines_before) return {};
  return as_last_words(last.front().text);
}

void Children::tell_empty_trees() {
  for (auto each = children_.begin(); each != children_.end();) {
    auto& [run, child] = *each;
    if (child.state != Child::State::ended || !table_.leftovers({run}).empty()) {
      ++each;
      continue;
    }
    table_.forget({run});
    context_.inbox.put(engine::TreeEmpty{run});
    child.state = Child::State::gone;
    each = child.is_over() ? children_.erase(each) : std::next(each);
  }
}

void Children::end_strays() {
  for (int waited = 0; waited <= stray_patience_ms; waited += 10) {
    table_.reap();
    if (table_.orphans().empty() || table_.kill_strays() == 0) return;
    ::poll(nullptr, 0, 10);
  }
  context_.reporter.log(Level::warn, "processes that belong to no service did not die of SIGKILL");
}

void Children::end() {
  over_ = true;
  LogBudget last_words = at_the_end;
  for (const auto& pipe : open_outputs()) pipe->go_on(pipe->read(last_words));
  reader_->close();
  for (const auto& pipe : open_outputs()) pipe->close();
  children_.clear();
}

}  // namespace arizuko::host
