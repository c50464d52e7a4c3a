#include "pump.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <boost/asio/post.hpp>

#include "arizuko/posix/memory_reserve.hpp"
#include "clock.hpp"

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

Pump::Pump(boost::asio::io_context& io, engine::Engine& engine, Hooks hooks)
    : io_(io),
      engine_(engine),
      hooks_(std::move(hooks)),
      ticker_(io, {.begin_to_read = hooks_.begin_to_read, .reap = hooks_.reap, .tick = [this] {
                     push(engine::Tick{});
                   }}) {}

void Pump::push(engine::Event event) {
  put(std::move(event));
  go_on();
}

void Pump::push_soon(engine::Event event) {
  put(std::move(event));
  go_on_soon();
}

// Events are heard one after the other; what carrying out an action reports comes behind them.
void Pump::go_on() {
  if (pumping_ || over_) return;
  pumping_ = true;
  {
    // Also when there is no memory for an event: the next one must not find us pumping for ever.
    const Cleared at_the_end(pumping_);
    posix::memory_is_ample();  // puts the reserve by again
    int work = 0;
    while (!over_ && !all_is_done() && work < work_a_turn) {
      if (to_do_.empty()) {
        work += work_of_an_event;
        hear_next();
        continue;
      }
      const engine::Action action = std::move(to_do_.front());
      to_do_.pop_front();
      work += work_of(action);
      hooks_.carry_out(action);
    }
  }
  hooks_.turn_is_over();
  if (!over_ && !all_is_done()) return go_on_soon();
  ticker_.arm(engine_.deadline());
}

// Only a Tick judges deadlines: what else is told beside one that has passed, as of just before it, is behind
// it at most by the turns that the input takes.
void Pump::hear_next() {
  const engine::Event event = std::move(inbox_.front());
  inbox_.pop_front();
  engine::Instant now = Clock::now();
  if (std::holds_alternative<engine::Tick>(event)) {
    ticker_.taken();
  } else if (const auto due = engine_.deadline(); due && *due <= now) {
    now = *due - engine::Nanoseconds(1);
  }
  std::vector<engine::Action> actions;
  engine_.handle(event, now, actions);
  if (engine_.view().state == engine::PodState::stopping) hooks_.stopping();
  std::ranges::move(actions, std::back_inserter(to_do_));
}

void Pump::go_on_soon() {
  if (posted_ || pumping_) return;
  posted_ = true;
  boost::asio::post(io_, [this] {
    posted_ = false;
    go_on();
  });
}

void Pump::end() {
  over_ = true;
  ticker_.end();
}

}  // namespace arizuko::host
