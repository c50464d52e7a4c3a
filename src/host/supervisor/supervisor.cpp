// Puts the parts together: what the engine decides goes to the part that can do it, and what is asked from
// outside to the one that knows.
#include "arizuko/host/supervisor/supervisor.hpp"

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <boost/asio/post.hpp>

#include "arizuko/base/exit_codes.hpp"
#include "arizuko/host/process/take_along.hpp"
#include "arizuko/host/state/made_dirs.hpp"
#include "arizuko/posix/memory_reserve.hpp"
#include "children.hpp"
#include "clock.hpp"
#include "pump.hpp"
#include "saved_logins.hpp"
#include "service_groups.hpp"
#include "signals.hpp"
#include "values.hpp"
#include "watches.hpp"

namespace arizuko::host {

namespace {

// What our children are given when we end by a fault of ours.
constexpr std::chrono::milliseconds patience_after_a_fault{200};

}  // namespace

struct Supervisor::Impl {
  Impl(boost::asio::io_context& loop, Options options);

  void attend(std::function<void(int)> when_ended);
  void start();
  void make_dirs(const plan::Plan& plan);
  void memory_was_short();
  Pump::Hooks pump_hooks();

  void carry_out(const engine::Spawn& action) { children.spawn(action); }
  void carry_out(const engine::Signal& action) { children.signal(action); }
  void carry_out(const engine::Watch& action) { watches.watch(action); }
  void carry_out(const engine::Unwatch& action) { watches.unwatch(action); }
  void carry_out(const engine::TaskDone& action);
  void carry_out(const engine::ReadSources& action) { values.read(action.what); }
  void carry_out(const engine::LoginFiles& action);
  void carry_out(const engine::Remember& action) { values.remember(action); }
  void carry_out(const engine::Note& action) { reporter.note(action); }
  void carry_out(const engine::Exit& action);

  boost::asio::io_context& io;
  Spawner spawner;       // before whatever opens descriptors
  std::string accepted;  // ARIZUKO_ACCEPT_GUARDED
  engine::Engine engine;
  Signals signals;  // first of those that do something: no other signal ends us from here on
  Reporter reporter;
  Pump pump;
  TaskMarks marks;
  Context context;
  ServiceGroups groups;
  Children children;
  Watches watches;
  Values values;
  std::function<void(int)> ended;
  std::optional<engine::Instant> shortage_told;
};

Supervisor::Impl::Impl(boost::asio::io_context& loop, Options options)
    : io(loop),
      spawner(loop),
      accepted(std::move(options.accept_guarded)),
      engine(options.plan),
      signals(loop),
      reporter(loop, engine, options.log_descriptor, std::move(options.formatter)),
      pump(loop, engine, pump_hooks()),
      marks(options.state),
      context{loop, engine, pump, reporter, marks, options.state},
      groups(context, std::move(options.groups)),
      children(context, spawner, groups, [this] { pump.input_was_read(); }),
      watches(context, children),
      values(context, std::move(options.reading), std::move(options.snapshot),
             [this](const plan::Plan& plan) {
               groups.tell_idle_limits(plan);
               make_dirs(plan);
             }) {}

Pump::Hooks Supervisor::Impl::pump_hooks() {
  return {
      .carry_out =
          [this](const engine::Action& action) {
            std::visit([this](const auto& each) { carry_out(each); }, action);
          },
      .stopping = [this] { values.let_go(); },
      .turn_is_over = [this] { values.note_ages(); },
      .begin_to_read = [this] { return children.begin_to_read(); },
      .reap = [this] { children.reap(); },
  };
}

void Supervisor::Impl::attend(std::function<void(int)> when_ended) {
  ended = std::move(when_ended);
  signals.hear({
      .child_ended = [this] { children.reap(); },
      .reload = [this] { values.reload("signal SIGHUP"); },
      .stop =
          [this](std::string cause) { pump.push(engine::StopRequested{context.washed(std::move(cause))}); },
      .memory_was_short = [this] { memory_was_short(); },
  });
}

void Supervisor::Impl::start() {
  pump.push(engine::StartWaits{});
  children.begin(watches);
  groups.begin(children.table());
  values.watch(accepted);
  groups.tell_idle_limits(*engine.plan());
  make_dirs(*engine.plan());
  forget_old_logins(*engine.plan());
  values.start();
}

void Supervisor::Impl::make_dirs(const plan::Plan& plan) {
  const auto owner = owner_of_made_dirs(plan);
  for (const std::string& directory : plan.pod.make_dirs) {
    if (make_directory_below(context.state.data(), plan.pod.data_dir, directory, owner)) continue;
    reporter.log(Level::error, fmt::format("cannot create {} (make_dirs): {}; who needs it will fail",
                                           directory, ::strerrordesc_np(errno)));
  }
}

void Supervisor::Impl::memory_was_short() {
  constexpr std::chrono::seconds between_notices{10};
  // Whatever wants memory again and again must not take the processor, too.
  ::poll(nullptr, 0, 10);
  try {
    posix::memory_is_ample();
    const engine::Instant now = Clock::now();
    if (!shortage_told || now - *shortage_told >= between_notices) {
      shortage_told = now;
      reporter.log(
          Level::error,
          "no memory was left for one step of arizuko-init: a connection or a log line was dropped, the pod "
          "goes on (a limit of memory or address space is too small)");
    }
    pump.go_on();
  } catch (const std::bad_alloc&) {
    // Still none: the next event finds us again.
  }
}

void Supervisor::Impl::carry_out(const engine::TaskDone& action) {
  const std::string& task = context.service(action.service).name;
  marks.finish(task);
  values.task_has_ended(task);
}

void Supervisor::Impl::carry_out(const engine::LoginFiles& action) {
  for (std::string& trouble : move_logins(*engine.plan(), action))
    reporter.log(Level::warn, std::move(trouble));
}

void Supervisor::Impl::carry_out(const engine::Exit& action) {
  // After a fault of ours nobody else will: a daemon that lived on would hold ports and database of the next
  // run.
  if (action.code == exit_code::fault) end_all_children(patience_after_a_fault);
  children.end_strays();
  pump.end();
  signals.end();
  values.end();
  children.end();
  groups.remove();
  reporter.end(action.culprit);
  // The owner may destroy us: not from inside our own call.
  boost::asio::post(io, [ended = std::move(ended), code = action.code] { ended(code); });
}

// ---------------------------------------------------------------------------------------------

Supervisor::Supervisor(boost::asio::io_context& io, Options options)
    : impl_(std::make_unique<Impl>(io, std::move(options))) {}
Supervisor::~Supervisor() = default;

void Supervisor::attend(std::function<void(int exit_code)> ended) { impl_->attend(std::move(ended)); }

void Supervisor::start_waits(std::string cause) {
  impl_->pump.push(engine::StartWaits{impl_->context.washed(std::move(cause))});
}

void Supervisor::remark(engine::Remark::Tone tone, std::string cause) {
  impl_->pump.push(engine::Remark{tone, impl_->context.washed(std::move(cause))});
}

void Supervisor::use(std::expected<ControlGroups, std::string> groups) {
  impl_->groups.use(std::move(groups));
}

std::expected<void, std::string> Supervisor::generate_values() {
  return impl_->values.generate(impl_->accepted);
}

void Supervisor::start() { impl_->start(); }

void Supervisor::request_stop(std::string cause) {
  impl_->pump.push(engine::StopRequested{impl_->context.washed(std::move(cause))});
}

void Supervisor::memory_was_short() { impl_->memory_was_short(); }

void Supervisor::log(Level level, const std::string& text) { impl_->reporter.log(level, text); }

const plan::Plan& Supervisor::plan() const { return *impl_->engine.plan(); }
const engine::View& Supervisor::view() const { return impl_->engine.view(); }
engine::Instant Supervisor::now() const { return Clock::now(); }

std::int64_t Supervisor::unix_nanoseconds(engine::Instant instant) const {
  return Clock::unix_nanoseconds() - (Clock::now() - instant).count();
}

std::vector<HistoryEvent> Supervisor::events(std::uint64_t after, std::size_t limit) const {
  return impl_->reporter.events(after, limit);
}

const LogHistory& Supervisor::logs() const { return impl_->reporter.lines().history(); }

Counters Supervisor::counters() const {
  Counters counters = impl_->reporter.lines().counters();
  counters.orphans_reaped = impl_->children.table().orphans_reaped();
  counters.redactions = impl_->reporter.washer().hits();
  return counters;
}

CommandResult Supervisor::command(engine::Command::Verb verb, std::string_view service, std::string by) {
  const std::optional<plan::ServiceId> id = plan().find(service);
  if (!id) return {false, fmt::format("there is no service {}", service)};
  if (view().state == engine::PodState::stopping) {
    return {false,
            fmt::format("the pod is stopping ({}): nothing is started or restarted any more", view().cause)};
  }
  impl_->pump.push(engine::Command{verb, *id, impl_->context.washed(std::move(by))});
  if (!impl_->pump.all_is_done())
    return {true, fmt::format("{}: asked for; what happened before is carried out first", service)};
  const engine::ServiceView& shown = view().services[*id];
  return {true, fmt::format("{}: {}, because {}", service, engine::to_text(shown.state), shown.cause)};
}

CommandResult Supervisor::reload(std::string by) { return impl_->values.reload(by); }

CommandResult Supervisor::accept(std::string_view key, std::string by) {
  return impl_->values.accept(key, std::move(by));
}

CommandResult Supervisor::retry(std::optional<std::string> key, std::string by) {
  return impl_->values.retry(std::move(key), std::move(by));
}

std::vector<KeyFacts> Supervisor::keys() const { return impl_->values.keys(); }

GroupFacts Supervisor::control_groups() const { return impl_->groups.facts(); }

std::optional<AgentsFacts> Supervisor::agents() const { return read_agents_facts(plan().pod.data_dir); }

std::optional<GroupUsage> Supervisor::usage(plan::ServiceId service) const {
  return impl_->groups.usage(plan().services[service].name);
}

std::uint64_t Supervisor::subscribe(std::function<void()> changed) {
  return impl_->reporter.subscribers().add(std::move(changed));
}

void Supervisor::unsubscribe(std::uint64_t subscription) {
  impl_->reporter.subscribers().remove(subscription);
}

void Supervisor::redact(std::string& text) const { impl_->reporter.washer().wash(text); }

}  // namespace arizuko::host
