#include "arizuko/host/supervisor/supervisor.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <boost/asio/post.hpp>

#include "arizuko/host/state/made_dirs.hpp"
#include "arizuko/posix/memory_reserve.hpp"
#include "clock.hpp"
#include "launcher.hpp"
#include "supervisor_impl.hpp"

namespace arizuko::host {

namespace {

// Nothing but what is handled may end us: on a bare host a stray SIGUSR1 would. Children start with
// the default dispositions again (spawn).
void ignore_other_signals() {
  constexpr std::array handled = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
  // What the kernel sends for a fault of ours must keep its meaning.
  constexpr std::array faults = {SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,  SIGABRT, SIGSYS,
                                 SIGTRAP, SIGKILL, SIGSTOP, SIGCONT, SIGTSTP};
  const auto is_one_of = [](const auto& list, int number) {
    return std::find(list.begin(), list.end(), number) != list.end();
  };
  for (int number = 1; number <= SIGRTMAX; ++number) {
    // Those between the standard and the first real-time signal belong to the C library.
    const bool of_libc = number >= 32 && number < SIGRTMIN;
    if (of_libc || is_one_of(handled, number) || is_one_of(faults, number)) continue;
    std::signal(number, SIG_IGN);
  }
}

}  // namespace

Supervisor::Impl::Impl(boost::asio::io_context& loop, Options given)
    : io(loop),
      options(std::move(given)),
      engine(options.plan),
      timer(loop),
      signals(loop, SIGCHLD, SIGTERM, SIGINT),
      watcher(loop, watcher_hooks()),
      marks(options.state),
      guarded_timer(loop),
      log_reader(std::make_shared<LogReader>(loop)),
      output(loop, options.log_descriptor, options.formatter),
      termination(options.plan->pod.termination_log),
      termination_timer(loop) {
  signals.add(SIGHUP);
  ignore_other_signals();
  changed_by_us = changed_signals();
  sources_plan = options.plan;
  newest = options.snapshot;
  keep_out_of_swap(*newest);
  learn_secrets();  // before the first line of our own
  log_reader->when_read([this] { input_was_read(); });
}

Supervisor::Impl::~Impl() {
  log_reader->close();
  for (const auto& [run, pipe] : pipes) pipe->close();
}

void Supervisor::Impl::attend(std::function<void(int)> when_ended) {
  ended = std::move(when_ended);
  wait_for_signals();
}

void Supervisor::Impl::start() {
  push(engine::StartWaits{});
  instance = instance_mark(options.plan->pod.data_dir);
  guarded.emplace(options.state, options.accept_guarded);
  begin_groups();
  generation = options.snapshot->generation;
  sources = std::make_unique<SourceWatcher>(io, options.plan->env.sources, [this](const std::string& cause) {
    if (!over)
      read_values_again(Answer::when_changed, cause,
                        engine::Instant(sources->first_event().time_since_epoch()));
  });
  if (!sources->trouble().empty()) log(Level::warn, sources->trouble());
  report_limits(*options.plan);
  const auto owner = owner_of_made_dirs(*options.plan);
  for (const std::string& directory : options.plan->pod.make_dirs) {
    if (make_directory_below(options.state.data(), options.plan->pod.data_dir, directory, owner)) continue;
    log(Level::error, fmt::format("cannot create {} (pod.make_dirs): {}; who needs it will fail", directory,
                                  ::strerrordesc_np(errno)));
  }
  forget_old_logins();
  report_guarded_store();
  offer_values(Offer::followed, std::nullopt);
  // What changed between the first reading and the watch is told by nobody.
  if (!over) read_values_again(Answer::when_changed, "the sources changed at the start", std::nullopt);
}

void Supervisor::Impl::memory_was_short() {
  constexpr std::chrono::seconds between_notices{10};
  // Whatever wants memory again and again must not take the processor, too.
  ::poll(nullptr, 0, 10);
  try {
    memory_is_ample();
    const engine::Instant now = Clock::now();
    if (!shortage_told || now - *shortage_told >= between_notices) {
      shortage_told = now;
      log(Level::error,
          "no memory was left for one step of arizuko-init: a connection or a log line was dropped, the pod "
          "goes on (a limit of memory or address space is too small)");
    }
    pump();
  } catch (const std::bad_alloc&) {
    // Still none: the next event finds us again.
  }
}

// Nothing follows a changed value or plan any more.
void Supervisor::Impl::let_go_of_sources() {
  if (std::exchange(sources_released, true)) return;
  if (sources) sources->release();
  if (stop_begins) stop_begins();
}

void Supervisor::Impl::wait_for_signals() {
  signals.async_wait([this](const boost::system::error_code& error, int number) {
    if (error || over) return;
    try {
      on_signal(number);
    } catch (const std::bad_alloc&) {
      memory_was_short();
    }
    if (!over) wait_for_signals();
  });
}

void Supervisor::Impl::on_signal(int number) {
  switch (number) {
    case SIGCHLD: return reap();
    case SIGHUP: return on_hangup();
    default: return push(engine::StopRequested{engine::signal_name(number)});
  }
}

// The kernel and the shell may both tell of a lost terminal: it is one request to stop.
void Supervisor::Impl::on_hangup() {
  if (hung_up) return;
  hung_up = terminal.is_lost();
  if (hung_up)
    push(engine::StopRequested{"the terminal was closed: SIGHUP"});
  else
    reload("signal SIGHUP");
}

// ---------------------------------------------------------------------------------------------

Supervisor::Supervisor(boost::asio::io_context& io, Options options)
    : impl_(std::make_unique<Impl>(io, std::move(options))) {}
Supervisor::~Supervisor() = default;

void Supervisor::attend(std::function<void(int exit_code)> ended) { impl_->attend(std::move(ended)); }

void Supervisor::start_waits(std::string cause) { impl_->push(engine::StartWaits{std::move(cause)}); }

void Supervisor::remark(engine::Remark::Tone tone, std::string cause) {
  impl_->push(engine::Remark{tone, std::move(cause)});
}

void Supervisor::use(std::expected<ControlGroups, std::string> groups) {
  auto& place = impl_->options.groups;
  if (groups) {
    place.emplace(std::move(*groups));
  } else {
    place = std::unexpected(std::move(groups.error()));
  }
}

void Supervisor::start() { impl_->start(); }

void Supervisor::request_stop(std::string cause) { impl_->push(engine::StopRequested{std::move(cause)}); }

void Supervisor::when_stopping(std::function<void()> call) { impl_->stop_begins = std::move(call); }

void Supervisor::memory_was_short() { impl_->memory_was_short(); }

void Supervisor::log(Level level, const std::string& text) { impl_->log(level, text); }

const plan::Plan& Supervisor::plan() const { return *impl_->engine.plan(); }
const engine::View& Supervisor::view() const { return impl_->engine.view(); }
engine::Instant Supervisor::now() const { return Clock::now(); }

std::int64_t Supervisor::unix_nanoseconds(engine::Instant instant) const {
  return Clock::unix_nanoseconds() - (Clock::now() - instant).count();
}

std::vector<HistoryEvent> Supervisor::events(std::uint64_t after, std::size_t limit) const {
  return impl_->history.since(after, limit);
}

const LogHistory& Supervisor::logs() const { return impl_->logs; }

Counters Supervisor::counters() const {
  Counters counters = impl_->counted;
  counters.orphans_reaped = impl_->table.orphans_reaped();
  counters.log_lines_dropped += impl_->output.dropped_lines();
  counters.log_bytes_written = impl_->output.written_bytes();
  counters.redactions = impl_->redactor.hits();
  return counters;
}

CommandResult Supervisor::command(engine::Command::Verb verb, std::string_view service, std::string by) {
  const std::optional<plan::ServiceId> id = plan().find(service);
  if (!id) return {false, fmt::format("there is no service {}", service)};
  if (view().state == engine::PodState::stopping) {
    return {false,
            fmt::format("the pod is stopping ({}): nothing is started or restarted any more", view().cause)};
  }
  impl_->push(engine::Command{verb, *id, std::move(by)});
  if (!impl_->all_is_done())
    return {true, fmt::format("{}: asked for; what happened before is carried out first", service)};
  const engine::ServiceView& shown = view().services[*id];
  return {true, fmt::format("{}: {}, because {}", service, engine::to_text(shown.state), shown.cause)};
}

CommandResult Supervisor::reload(std::string by) { return impl_->reload(by); }

std::uint64_t Supervisor::subscribe(std::function<void()> changed) {
  impl_->subscribers[++impl_->last_subscription] = std::move(changed);
  return impl_->last_subscription;
}

void Supervisor::unsubscribe(std::uint64_t subscription) { impl_->subscribers.erase(subscription); }

}  // namespace arizuko::host
