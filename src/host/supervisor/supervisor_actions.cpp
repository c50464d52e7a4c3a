// Carries out each action of the engine. What fails is told to the engine; it decides.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <fmt/format.h>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include "arizuko/engine/exit_codes.hpp"
#include "arizuko/host/process/take_along.hpp"
#include "clock.hpp"
#include "launcher.hpp"
#include "supervisor_impl.hpp"

namespace arizuko::host {

namespace {

// How long processes that nobody claims may take to die at the very end.
constexpr int stray_patience_ms = 200;
constexpr plan::Duration log_patience{500};
// What is still read of all outputs when the run is over: less than a second's work.
constexpr LogBudget at_the_end{16 * 1024 * 1024, 256 * 1024, 16 * 1024};

struct Pipe {
  int read_end = -1;
  int write_end = -1;
};

bool make_pipe(Pipe& pipe) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  pipe = {ends[0], ends[1]};
  // The two ends are separate descriptions: the child's stays blocking.
  ::fcntl(pipe.read_end, F_SETFL, O_NONBLOCK);
  return true;
}

void close_pipe(const Pipe& pipe) {
  if (pipe.read_end >= 0) ::close(pipe.read_end);
  if (pipe.write_end >= 0) ::close(pipe.write_end);
}

bool wants_notify(const plan::Service& service) {
  return std::ranges::any_of(service.ready, [](const plan::Condition& condition) {
    return std::holds_alternative<plan::NotifyCheck>(condition.check);
  });
}

}  // namespace

void Supervisor::Impl::carry_out(const engine::Action& action) {
  std::visit([this](const auto& each) { carry_out(each); }, action);
}

void Supervisor::Impl::carry_out(const engine::Spawn& action) {
  const plan::Service& what = service(action.run.service);
  const RunKey run{action.run};
  const auto failed = [&](const SpawnError& error) {
    inbox.push_back(engine::SpawnFailed{action.run, to_text(error), error.passing()});
  };
  if (what.creates && !marks.begin(what.name)) {
    return failed({SpawnStage::marking_the_task, errno, options.state.path()});
  }
  prepare_start(*engine.plan(), what, options.state.data());
  const auto group = group_of(what);
  if (!group) return failed(group.error());
  Pipe out;
  Pipe err;
  if (!make_pipe(out) || !make_pipe(err)) {
    const SpawnError error{SpawnStage::making_the_log_pipes, errno, ""};
    close_pipe(out);
    close_pipe(err);
    return failed(error);
  }
  const RunFacts facts{run_mark(what.name, action.run.number, instance), notify_address(run), out.write_end,
                       err.write_end, group->descriptor()};
  files_before[run] = ready_files(what);
  lines_before[run] = logs.last_seq();
  const std::expected<pid_t, SpawnError> pid =
      spawn_child(what, child_spec(*engine.plan(), what, *action.snapshot, facts));
  ::close(out.write_end);
  ::close(err.write_end);
  if (!pid) {
    ::close(out.read_end);
    ::close(err.read_end);
    notify.erase(run);
    lines_before.erase(run);
    return failed(pid.error());
  }
  table.add(run, *pid, facts.mark);
  values[run] = action.snapshot;
  add_pipe(run, Stream::out, out.read_end);
  add_pipe(run, Stream::err, err.read_end);
  inbox.push_back(engine::Spawned{action.run, *pid});
}

std::expected<pid_t, SpawnError> Supervisor::Impl::spawn_child(const plan::Service& what,
                                                               std::expected<ChildSpec, SpawnError> spec) {
  if (!spec) return std::unexpected(std::move(spec.error()));
  auto pid = spawn(*spec, changed_by_us);
  if (pid || pid.error().stage != SpawnStage::joining_the_control_group) return pid;
  tell_group_trouble(what.name, to_text(pid.error()));
  spec->group = -1;
  return spawn(*spec, changed_by_us);
}

std::string Supervisor::Impl::notify_address(RunKey run) {
  if (!wants_notify(service(run.service))) return "";
  try {
    RunNotify& mine = notify[run];
    mine.socket = std::make_unique<NotifySocket>(
        io, [this, run](const Notification& told) { take_notification(run, told); });
    return mine.socket->address();
  } catch (const boost::system::system_error& error) {
    notify.erase(run);
    log(Level::error, fmt::format("{}: no socket for sd_notify: {}; its notify condition will not hold",
                                  service(run.service).name, error.what()));
    return "";
  }
}

void Supervisor::Impl::carry_out(const engine::Signal& action) {
  const RunKey run{action.run};
  switch (action.target) {
    case engine::Target::main: table.signal_main(run, action.number); break;
    case engine::Target::leftovers:
      table.signal_leftovers(run, action.number);
      look_for_empty_trees();
      break;
  }
}

void Supervisor::Impl::carry_out(const engine::Watch& action) {
  const plan::Service& what = service(action.run.service);
  const bool whether_done = what.creates && action.watch == engine::watch_numbers(what).creates;
  if (whether_done && marks.was_cut_short(what.name)) {
    log(Level::warn, fmt::format("{}: an earlier try was cut short, it runs again although {} exists",
                                 what.name, *what.creates));
    inbox.push_back(
        engine::ConditionChanged{action.run, action.watch, false, "an earlier try was cut short"});
    return;
  }
  const RunKey run{action.run};
  const engine::WatchNumbers numbers = engine::watch_numbers(what);
  const Purpose purpose = action.watch < numbers.live      ? Purpose::readiness
                          : action.watch < numbers.creates ? Purpose::liveness
                                                           : Purpose::whether_done;
  watcher.watch({run, action.watch}, engine::watched_condition(what, action.watch), purpose,
                file_before(run, action.watch));
}

void Supervisor::Impl::carry_out(const engine::Unwatch& action) {
  watcher.unwatch({{action.run}, action.watch});
}

void Supervisor::Impl::carry_out(const engine::TaskDone& action) {
  marks.finish(service(action.service).name);
  read_values_again(Answer::always, fmt::format("{} has ended", service(action.service).name), std::nullopt);
}

void Supervisor::Impl::carry_out(const engine::Note& action) {
  engine::Note note = action;
  redactor.clean(note.cause);
  history.add(note, Clock::unix_nanoseconds());
  log_note(note);
  termination_due = true;
  something_changed();
}

void Supervisor::Impl::carry_out(const engine::Exit& action) {
  // After a fault of ours nobody else will: a daemon that lived on would hold ports and database of the next
  // run.
  if (action.code == engine::exit_fault) end_all_children(std::chrono::milliseconds(stray_patience_ms));
  end_strays();
  finish(action);
}

std::optional<FileIdentity> Supervisor::Impl::file_before(RunKey run, std::uint32_t watch) const {
  const auto files = files_before.find(run);
  if (files == files_before.end()) return std::nullopt;
  const auto file = files->second.find(watch);
  return file == files->second.end() ? std::nullopt : std::optional(file->second);
}

// Processes that could not be attributed to any service, and outlived all of them.
void Supervisor::Impl::end_strays() {
  for (int waited = 0; waited <= stray_patience_ms; waited += 10) {
    table.reap();
    if (table.orphans().empty() || table.kill_strays() == 0) return;
    ::poll(nullptr, 0, 10);
  }
  log(Level::warn, "processes that belong to no service did not die of SIGKILL");
}

void Supervisor::Impl::finish(const engine::Exit& action) {
  over = true;
  culprit = action.culprit;
  timer.cancel();
  termination_timer.cancel();
  guarded_timer.cancel();
  signals.cancel();
  if (guarded) guarded->put_back();
  LogBudget last_words = at_the_end;
  for (const auto& [run, pipe] : OpenPipes(pipes)) pipe->go_on(pipe->read(last_words));
  log_reader->close();
  for (const auto& [run, pipe] : pipes) pipe->close();
  pipes.clear();
  if (options.groups) options.groups->remove();
  write_termination_message();
  output.drain(log_patience);
  tell_subscribers();
  // The owner may destroy us: not from inside our own call.
  boost::asio::post(io, [ended = std::move(ended), code = action.code] { ended(code); });
}

}  // namespace arizuko::host
