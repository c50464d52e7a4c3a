// How much is done in one turn of the loop, and in which order.
//
// Whatever floods (exits, spawns, notes, lines), a turn ends after a bounded share of it, and probes,
// signals, operators and the other daemons get theirs. What happened before a deadline is told before the
// deadline is judged: a pod that was frozen finds both at once when it goes on.
#include <algorithm>

#include <boost/asio/post.hpp>

#include "arizuko/posix/memory_reserve.hpp"
#include "clock.hpp"
#include "supervisor_impl.hpp"

namespace arizuko::host {

namespace {

// In units of about 20 us: a few milliseconds a turn.
constexpr int work_a_turn = 256;
constexpr int work_of_an_event = 1;
// Forking, or walking through /proc, with the pipes and watches of it.
constexpr int work_of_a_process = 8;

int work_of(const engine::Action& action) {
  const bool process =
      std::holds_alternative<engine::Spawn>(action) || std::holds_alternative<engine::Signal>(action);
  return process ? work_of_a_process : 1;
}

// The two rounds of the loop after which what a first round of epoll found has been handled, too.
constexpr int rounds_before_a_tick = 2;
// Of each log that may make something ready.
constexpr std::size_t read_before_a_tick = 128 * 1024;

/// Sets a flag to false at the end of its life.
class Cleared {
 public:
  explicit Cleared(bool& flag) : flag_(flag) {}
  ~Cleared() { flag_ = false; }
  Cleared(const Cleared&) = delete;
  Cleared& operator=(const Cleared&) = delete;

 private:
  bool& flag_;
};

}  // namespace

void Supervisor::Impl::push(engine::Event event) {
  inbox.push_back(std::move(event));
  pump();
}

// Events are handled one after the other; what carrying out an action reports comes behind them.
void Supervisor::Impl::pump() {
  if (pumping || over) return;
  pumping = true;
  // Also when there is no memory for an event: the next one must not find us pumping for ever.
  const Cleared at_the_end(pumping);
  memory_is_ample();  // puts the reserve by again
  int work = 0;
  while (!over && !all_is_done() && work < work_a_turn) {
    if (to_do.empty()) {
      work += work_of_an_event;
      handle_next();
      continue;
    }
    const engine::Action action = std::move(to_do.front());
    to_do.pop_front();
    work += work_of(action);
    carry_out(action);
  }
  pumping = false;
  note_ages();
  if (!over && !all_is_done()) return pump_soon();
  arm_timer();
}

// Only a Tick judges deadlines: what else is told beside one that has passed, as of just before it, is behind
// it at most by the turns that the input takes.
void Supervisor::Impl::handle_next() {
  engine::Event event = std::move(inbox.front());
  inbox.pop_front();
  clean(event);
  engine::Instant now = Clock::now();
  if (std::holds_alternative<engine::Tick>(event)) {
    tick = TickIs::not_due;
  } else if (const auto due = engine.deadline(); due && *due <= now) {
    now = *due - engine::Nanoseconds(1);
  }
  std::vector<engine::Action> actions;
  engine.handle(event, now, actions);
  if (engine.view().state == engine::PodState::stopping) let_go_of_sources();
  std::ranges::move(actions, std::back_inserter(to_do));
}

void Supervisor::Impl::pump_soon() {
  if (pump_posted || pumping) return;
  pump_posted = true;
  boost::asio::post(io, [this] {
    pump_posted = false;
    pump();
  });
}

void Supervisor::Impl::arm_timer() {
  if (tick != TickIs::not_due) return;
  const std::optional<engine::Instant> wanted = over ? std::nullopt : engine.deadline();
  if (wanted == armed) return;
  armed = wanted;
  if (!wanted) {
    timer.cancel();
    return;
  }
  timer.expires_after(std::max(engine::Nanoseconds(0), *wanted - Clock::now()));
  timer.async_wait([this](const boost::system::error_code& error) {
    if (error || over) return;
    armed.reset();
    time_is_over();
  });
}

void Supervisor::Impl::time_is_over() {
  tick = TickIs::after_the_input;
  before_a_tick.clear();
  for (const auto& [run, pipe] : pipes) {
    if (!watcher.wants_log(run)) continue;
    const Goal goal{pipe, pipe->mark(read_before_a_tick)};
    if (goal.reached()) continue;
    before_a_tick.push_back(goal);
    log_reader->read_soon(pipe);
  }
  reap();
  tick_when_read(rounds_before_a_tick);
}

// Through the loop: what was read is told through it as well, and comes before us then.
void Supervisor::Impl::tick_when_read(int rounds) {
  boost::asio::post(io, [this, rounds] {
    if (over || tick != TickIs::after_the_input) return;
    if (rounds > 1) return tick_when_read(rounds - 1);
    if (!std::ranges::all_of(before_a_tick, &Goal::reached)) return;  // input_was_read goes on
    before_a_tick.clear();
    tick = TickIs::on_its_way;
    push(engine::Tick{});
  });
}

// The log reader's turn is over.
void Supervisor::Impl::input_was_read() {
  if (over) return;
  tell_ends();
  const bool waits = tick == TickIs::after_the_input && !before_a_tick.empty();
  if (waits && std::ranges::all_of(before_a_tick, &Goal::reached)) tick_when_read(rounds_before_a_tick);
}

}  // namespace arizuko::host
