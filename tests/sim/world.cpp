#include "world.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "../engine/log.hpp"

namespace arizuko::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

using tests::to_text;

constexpr std::uint64_t most_steps_of_trouble = 1500;
constexpr std::uint64_t most_steps_of_rest = 20'000;

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

ExitStatus code(int number) { return {number, std::nullopt, false}; }
ExitStatus killed(int number) { return {std::nullopt, number, false}; }

}  // namespace

World::World(std::uint64_t seed, Record record)
    : random_(seed),
      record_(record),
      offered_(random_plan(random_)),
      engine_(offered_),
      invariants_(engine_),
      now_(Instant{} + seconds(1000)) {}

Actor& World::actor(ServiceId id) { return actors_[id]; }

// ---------------------------------------------------------------------------------------------
// The three parts

void World::run() {
  prompt_ticks_ = random_.chance(60);
  if (random_.chance(40)) remembered_["SECRET"] = fmt::format("SECRET{}", random_.below(3));
  new_values(random_values(random_, ++generation_, random_.chance(85) ? Values::complete : Values::any));
  schedule_trouble();
  while (trouble_ && steps_of_part_ < most_steps_of_trouble && next()) {
  }
  if (!invariants_.ended() && random_.chance(70)) {
    calm_down();
    while (next()) {
      if (++steps_of_part_ > most_steps_of_rest)
        throw Broken("all faults are over and it does not come to rest");
    }
    invariants_.at_rest(engine_);
  }
  end();
}

void World::schedule_trouble() {
  const std::uint32_t count = random_.below(150);
  const std::uint32_t span = 1 + random_.below(random_.chance(50) ? 20'000 : 300'000);
  for (std::uint32_t i = 0; i < count; ++i) in(random_.between(0, span), [this] { something_happens(); });
  in(milliseconds(span) + random_.between(0, 20'000), [this] { trouble_ = false; });
}

// No new faults. What was lost is said again, what is missing is set, what was switched off comes back.
void World::calm_down() {
  trouble_ = false;
  steps_of_part_ = 0;
  new_values(random_values(random_, ++generation_, Values::complete));
  // A generation waits for the rate limit at most this long; what is held back is accepted then.
  in(rotation_window + minutes(1), [this] {
    for (const std::string& key : invariants_.acceptable()) deliver(Accept{key, "operator (uid 1000)"});
  });
  in(seconds(20), [this] {
    for (ServiceId id = 0; id < engine_.plan()->services.size(); ++id) {
      for (auto& [watch, holds] : actor(id).conditions) {
        holds = true;
        tell_condition(id, actor(id).run, watch, true);
      }
      if (invariants_.shadow(id).switched_off)
        deliver(Command{Command::Verb::start, id, "operator (uid 1000)"});
    }
  });
}

// The stop, at whatever moment the run is in; ticks are prompt from here on, for grace is promised.
void World::end() {
  trouble_ = random_.chance(50);
  prompt_ticks_ = true;
  const std::uint32_t requests = 1 + (random_.chance(30) ? 1U + random_.below(2) : 0U);
  deliver(StopRequested{"SIGTERM"});
  for (std::uint32_t i = 1; i < requests; ++i) {
    in(random_.between(0, 8000), [this] { deliver(StopRequested{"SIGTERM"}); });
  }
  while (!invariants_.ended() && next()) {
  }
  if (!invariants_.ended()) throw Broken("the run was stopped and does not end");
  for (int i = 0; i < 5; ++i) late_event();
  deliver(Tick{});
  deliver(StopRequested{"SIGTERM"});
}

// ---------------------------------------------------------------------------------------------
// The clock

void World::in(Nanoseconds pause, std::function<void()> what) {
  happenings_.push({now_ + pause, ++order_, std::move(what)});
}

bool World::next() {
  ++steps_of_part_;
  std::optional<Instant> tick = engine_.deadline();
  if (tick && !prompt_ticks_) *tick += random_.between(0, 400);
  if (happenings_.empty() && !tick) return false;
  if (tick && (happenings_.empty() || *tick < happenings_.top().at)) {
    now_ = std::max(now_, *tick);
    deliver(Tick{});
    return true;
  }
  const Happening happening = happenings_.top();
  happenings_.pop();
  now_ = std::max(now_, happening.at);  // after a jump of the clock some come late
  happening.what();
  return true;
}

void World::deliver(const Event& event) {
  ++steps_;
  if (record_ == Record::history) {
    const auto time = std::chrono::duration<double>(now_.time_since_epoch()).count();
    history_.push_back(fmt::format("{:10.3f} {}", time, to_text(event, *engine_.plan())));
  }
  const bool twinned = random_.below(64) == 0;
  const std::optional<Engine> twin = twinned ? std::optional(engine_) : std::nullopt;
  // A host that mixes its clocks up must not matter: an earlier instant counts as the last one.
  const Instant said = trouble_ && random_.below(50) == 0 ? now_ - milliseconds(5) : now_;
  std::vector<Action> actions;
  invariants_.before(engine_, event);
  engine_.handle(event, said, actions);
  if (record_ == Record::history) {
    for (const Action& action : actions)
      history_.push_back("             > " + to_text(action, *engine_.plan()));
  }
  if (twin) compare_with_twin(event, said, *twin, actions);
  for (const Action& action : actions) carry_out(action);
  invariants_.after(engine_, event, said, actions);
}

// The engine is a value: a copy that learns the same decides the same.
void World::compare_with_twin(const Event& event, Instant now, Engine twin,
                              const std::vector<Action>& actions) {
  std::vector<Action> again;
  twin.handle(event, now, again);
  bool same = again.size() == actions.size() && twin.deadline() == engine_.deadline();
  for (std::size_t i = 0; same && i < again.size(); ++i) {
    same = to_text(again[i], *twin.plan()) == to_text(actions[i], *engine_.plan());
  }
  if (!same) throw Broken("a copy of the engine that learns the same does something else");
}

// ---------------------------------------------------------------------------------------------
// What the engine asks for

void World::carry_out(const Action& action) {
  std::visit(Overloaded{
                 [this](const Spawn& a) { spawn(a); },
                 [this](const Signal& a) { signal(a); },
                 [this](const Watch& a) { watch(a); },
                 [this](const Unwatch& a) {
                   if (actor(a.run.service).run == a.run.number)
                     actor(a.run.service).conditions.erase(a.watch);
                 },
                 [this](const TaskDone& a) {
                   actor(a.service).created = true;
                   if (trouble_ && random_.chance(10)) return;  // the answer never comes
                   in(random_.between(1, trouble_ ? 7000 : 200), [this] {
                     new_values(trouble_ && values_ && random_.chance(50)
                                    ? changed_values(*values_, random_, ++generation_)
                                    : values_);
                   });
                 },
                 [this](const ReadSources&) {
                   in(random_.between(0, 200), [this] {
                     auto again = std::make_shared<env::Snapshot>(*values_);
                     again->generation = ++generation_;
                     new_values(again, By::again);
                   });
                 },
                 [](const LoginFiles&) {},
                 [this](const Remember& a) {
                   const std::string* value = a.snapshot->find(a.key);
                   remembered_[a.key] = value != nullptr ? std::optional(*value) : std::nullopt;
                 },
                 [](const Note&) {},
                 [](const Exit&) {},
             },
             action);
}

void World::spawn(const Spawn& action) {
  const auto [id, run] = action.run;
  Actor& each = actor(id);
  if (each.main) throw Broken(service(id).name + ": there are two main processes");
  if (each.leftovers) throw Broken(service(id).name + ": it was started beside leftovers of its last run");
  each.run = run;
  each.conditions.clear();
  each.ignores_term = trouble_ && random_.chance(10);
  each.sleeps_in_kernel = trouble_ && random_.chance(2);
  each.works = !trouble_ || random_.chance(85);
  const bool fails = trouble_ && random_.chance(6);
  if (fails) {
    const bool passing = random_.chance(50);
    tell(id,
         SpawnFailed{{id, run}, passing ? Washed("forking: EAGAIN") : Washed("executing: ENOENT"), passing});
    return;
  }
  each.main = true;
  tell(id, Spawned{{id, run}, ++next_pid_});
  if (is_poisoned(action) && random_.chance(80)) {
    in(random_.between(0, 3000), [this, id, run] { main_ends(id, run, code(1)); });
    return;
  }
  main_starts(id, run);
}

// Some values make whoever sees them fail, most of the time.
bool World::is_poisoned(const Spawn& action) const {
  const env::Environment seen = env::compose(*engine_.plan(), service(action.run.service), *action.snapshot);
  return std::ranges::any_of(seen, [](const auto& each) { return each.second.ends_with(poison); });
}

void World::main_starts(ServiceId id, RunNumber run) {
  if (service(id).kind == plan::Kind::task) return task_ends(id, run);
  if (!trouble_ || !random_.chance(35)) return;
  const auto when = random_.chance(40) ? random_.between(0, 100) : random_.between(0, 60'000);
  in(when, [this, id, run] {
    if (trouble_)
      main_ends(id, run, random_.chance(60) ? code(1) : random_.chance(50) ? code(0) : killed(11));
  });
}

void World::task_ends(ServiceId id, RunNumber run) {
  if (trouble_ && random_.chance(10)) {  // it hangs
    actor(id).ignores_term = random_.chance(50);
    return;
  }
  const bool well = !trouble_ || random_.chance(80);
  in(random_.between(0, 400), [this, id, run, well] { main_ends(id, run, code(well ? 0 : 1)); });
}

void World::main_ends(ServiceId id, RunNumber run, ExitStatus status) {
  Actor& each = actor(id);
  if (each.run != run || !each.main) return;
  each.main = false;
  each.leftovers = trouble_ && random_.chance(20);
  tell(id, Exited{{id, run}, status, each.leftovers ? Washed("sleep (pid 17)") : Washed()});
  if (each.leftovers && random_.chance(50)) {
    in(random_.between(0, 3000), [this, id, run] { leftovers_end(id, run); });
  }
}

void World::leftovers_end(ServiceId id, RunNumber run) {
  Actor& each = actor(id);
  if (each.run != run || !each.leftovers || each.main) return;
  each.leftovers = false;
  tell(id, TreeEmpty{{id, run}});
}

void World::signal(const Signal& action) {
  const auto [id, run] = action.run;
  Actor& each = actor(id);
  if (each.run != run) return;
  const auto pause = each.sleeps_in_kernel ? random_.between(1000, 9000) : random_.between(0, 50);
  if (action.target == Target::leftovers) return in(pause, [this, id, run] { leftovers_end(id, run); });
  if (action.number == 9) return in(pause, [this, id, run] { main_ends(id, run, killed(9)); });
  if (action.number != service(id).stop.signal || each.ignores_term) return;
  in(random_.between(0, 1500),
     [this, id, run] { main_ends(id, run, random_.chance(50) ? code(0) : killed(15)); });
}

void World::watch(const Watch& action) {
  const auto [id, run] = action.run;
  const std::uint32_t watch = action.watch;
  Actor& each = actor(id);
  const WatchNumbers numbers = watch_numbers(service(id));
  const bool file = watch >= numbers.creates;
  bool holds = watch < numbers.live ? false : !trouble_ || random_.chance(90);
  if (file) holds = watch < numbers.verify ? each.created : each.works;
  each.conditions[watch] = holds;
  if (file) {  // a look at a file answers once, and soon
    if (!trouble_ || !random_.chance(3)) tell_condition(id, run, watch, holds);
    return;
  }
  tell_condition(id, run, watch, holds);
  if (trouble_ && random_.chance(10)) return;  // it never holds
  flap(id, run, watch, trouble_ ? random_.below(5) : 1);
}

void World::flap(ServiceId id, RunNumber run, std::uint32_t watch, std::uint32_t times) {
  in(random_.between(1, times > 1 ? 9000 : 400), [this, id, run, watch, times] {
    Actor& each = actor(id);
    const auto truth = each.conditions.find(watch);
    if (each.run != run || !each.main || truth == each.conditions.end()) return;
    truth->second = !trouble_ || !truth->second;
    tell_condition(id, run, watch, truth->second);
    if (trouble_ && times > 1) flap(id, run, watch, times - 1);
  });
}

// The events of one service keep their order, but they take their time.
void World::tell(ServiceId id, const Event& event) {
  Actor& each = actor(id);
  const Instant at = std::max(each.delivered, now_ + random_.between(0, trouble_ ? 120 : 10));
  each.delivered = at;
  happenings_.push({at, ++order_, [this, event] { deliver(event); }});
}

void World::tell_condition(ServiceId id, RunNumber run, std::uint32_t watch, bool holds) {
  if (trouble_ && random_.chance(4)) return;  // lost
  Instant& answered = actor(id).answered;
  answered = std::max(answered, now_ + random_.between(0, trouble_ ? 250 : 20));
  happenings_.push(
      {answered, ++order_, [this, id, run, watch, holds] {
         deliver(ConditionChanged{{id, run}, watch, holds, holds ? Washed() : Washed("connection refused")});
       }});
}

// ---------------------------------------------------------------------------------------------
// What comes from outside

void World::new_values(env::SnapshotPtr snapshot, By by) {
  values_ = snapshot;
  deliver(EnvironmentChanged{.snapshot = snapshot,
                             .asked = by == By::operator_,
                             .again = by == By::again,
                             .unlike_last_run = unlike_last_run(*snapshot),
                             .switched = now_});
}

// As the host works it out from its fingerprints.
std::vector<std::string> World::unlike_last_run(const env::Snapshot& snapshot) const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : remembered_) {
    const std::string* now = snapshot.find(key);
    if (value != (now != nullptr ? std::optional(*now) : std::nullopt)) keys.push_back(key);
  }
  return keys;
}

void World::accept_something() {
  std::vector<std::string> keys = invariants_.acceptable();
  if (random_.chance(20)) keys = {"SECRET"};
  if (!keys.empty()) deliver(Accept{random_.one_of(keys), "operator (uid 1000)"});
}

void World::retry_something() {
  std::optional<std::string> key;
  if (random_.chance(50)) key = random_.one_of<std::string>({"A", "B", "TOKEN", "SECRET"});
  deliver(Retry{key, "operator (uid 1000)"});
}

void World::something_happens() {
  if (!trouble_) return;
  switch (random_.below(15)) {
    case 0:
    case 1:
    case 2: return operator_acts();
    case 3:
    case 4:
    case 12:
      return new_values(changed_values(*values_, random_, ++generation_),
                        random_.chance(10) ? By::operator_ : By::change);
    case 13: return accept_something();
    case 14: return retry_something();
    case 5:
      offered_ = edited(offered_, random_);
      return deliver(PlanChanged{std::make_shared<const plan::Plan>(offered_)});
    case 6: return late_event();
    case 7: return deliver(Tick{});
    case 8:
      now_ += random_.chance(50) ? Nanoseconds(random_.between(100, 10'000))
                                 : Nanoseconds(minutes(random_.below(60)));
      return deliver(Tick{});
    case 9:
    case 10: {  // a crash
      const ServiceId id = random_.below(static_cast<std::uint32_t>(engine_.plan()->services.size()));
      return main_ends(id, actor(id).run, code(1));
    }
    case 11:
      if (random_.chance(2)) trouble_ = false;  // and the end comes early
      return;
  }
}

void World::operator_acts() {
  using enum Command::Verb;
  const auto size = static_cast<std::uint32_t>(engine_.plan()->services.size());
  const auto verb = random_.one_of<Command::Verb>({start, stop, restart, restart});
  deliver(Command{verb, random_.below(size), "operator (uid 1000)"});
}

// What comes from a run that is over, or from none.
void World::late_event() {
  const ServiceId id = random_.below(static_cast<std::uint32_t>(engine_.plan()->services.size()) + 1);
  const RunNumber now = id < engine_.plan()->services.size() ? invariants_.shadow(id).spawn : 0;
  const RunNumber run = now == 0 ? 7 : now - 1;
  switch (random_.below(5)) {
    case 0: return deliver(Spawned{{id, run}, 99});
    case 1: return deliver(SpawnFailed{{id, run}, "late", false});
    case 2:
      return deliver(Exited{{id, run}, code(1), random_.chance(50) ? Washed("late (pid 5)") : Washed()});
    case 3: return deliver(TreeEmpty{{id, run}});
    case 4: return deliver(ConditionChanged{{id, run}, random_.below(5), random_.chance(50), "late"});
  }
}

}  // namespace arizuko::sim
