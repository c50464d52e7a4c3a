// What is watched of a run.
#include <algorithm>

#include <fmt/format.h>

#include "conditions.hpp"

namespace arizuko::engine {

void Conditions::drop_overdue_conditions(ServiceId id) {
  Run& run = change(id);
  if (run.state != State::starting) return;
  const std::vector<plan::Condition>& ready = service(id).ready;
  for (std::uint32_t i = 0; i < ready.size(); ++i) {
    if (!run.watches.open(i) || !ready[i].wait || now() < run.processes.spawned_at + *ready[i].wait) continue;
    Answer& answer = run.watches.answers[i];
    answer.is = ConditionView::Is::dropped;
    note(What::condition_dropped, id,
         fmt::format("dropped, it never held: {}{}", plan::to_text(ready[i]),
                     answer.detail.empty() ? "" : " (" + answer.detail + ")"));
    unwatch(id, i);
  }
}

void Conditions::watch(ServiceId id, std::uint32_t number) {
  change(id).watches.awaited.insert(number);
  emit(Watch{run_of(id), number});
}

void Conditions::unwatch(ServiceId id, std::uint32_t number) {
  if (change(id).watches.awaited.erase(number) > 0) emit(Unwatch{run_of(id), number});
}

void Conditions::unwatch_all(ServiceId id) {
  std::set<std::uint32_t>& awaited = change(id).watches.awaited;
  for (const std::uint32_t number : awaited) emit(Unwatch{run_of(id), number});
  awaited.clear();
}

// It is ready again: what is looked at only then is looked at anew.
void Conditions::look_while_ready(ServiceId id) {
  const std::vector<plan::Condition>& live = service(id).live;
  const std::uint32_t first = watch_numbers(service(id)).live;
  for (std::uint32_t i = 0; i < live.size(); ++i) {
    if (live[i].looked_at == plan::LookedAt::while_ready) watch(id, first + i);
  }
}

// It is not ready any more: what is looked at only while it is says nothing now, neither well nor ill.
void Conditions::look_away(ServiceId id) {
  Run& run = change(id);
  const std::vector<plan::Condition>& live = service(id).live;
  const std::uint32_t first = watch_numbers(service(id)).live;
  for (std::uint32_t i = 0; i < live.size(); ++i) {
    if (live[i].looked_at != plan::LookedAt::while_ready) continue;
    unwatch(id, first + i);
    run.watches.answers[first + i] = {};
  }
  if (!one_liveness_fails(id)) run.due.reset();
}

bool Conditions::one_liveness_fails(ServiceId id) const {
  const WatchNumbers numbers = watch_numbers(service(id));
  const auto first = services_.run(id).watches.answers.begin();
  return std::any_of(first + numbers.live, first + numbers.creates,
                     [](const Answer& each) { return each.is == ConditionView::Is::fails; });
}

void Conditions::wait_for_conditions(ServiceId id) {
  Run& run = change(id);
  run.waits = {};
  const std::vector<plan::Condition>& ready = service(id).ready;
  for (std::uint32_t watch = 0; watch < ready.size(); ++watch) {
    if (!run.watches.open(watch)) continue;
    const std::string& detail = run.watches.answers[watch].detail;
    const std::string text = plan::to_text(ready[watch]);
    run.waits.names.push_back(detail.empty() ? text : fmt::format("{} ({})", text, detail));
  }
}

}  // namespace arizuko::engine
