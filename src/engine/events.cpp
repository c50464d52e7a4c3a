// What each event changes. The consequences follow in settle().
#include <algorithm>

#include <fmt/format.h>

#include "arizuko/engine/why.hpp"
#include "machine.hpp"
#include "plan_change.hpp"
#include "pod_rules.hpp"
#include "reports.hpp"
#include "rotated.hpp"
#include "starting.hpp"
#include "stopping.hpp"

namespace arizuko::engine {

template <class Report>
void Machine::on(const Report& event) {
  Reports(*this).on(event);
}

void Machine::on(const EnvironmentChanged& event) {
  if (pod.stops()) return;
  for (ServiceId id = 0; id < services.size(); ++id) {
    if (services.run(id).phase == Phase::rereading) Starting(*this).task_is_done(id);
  }
  Rotated rotated(*this);
  const bool first = !values.snapshot();
  if (!values.offer(event, rotated)) return;
  if (first) return PodRules(*this).refuse_boot_without_values();
  // At once, before what waits for a task's values starts.
  if (values.is_observing()) advance_values();
  if (!values.is_rotating()) advance_values();
}

void Machine::on(const Accept& event) {
  Rotated rotated(*this);
  if (!pod.stops()) values.accept(event, rotated);
}

void Machine::on(const Retry& event) {
  Rotated rotated(*this);
  if (!pod.stops()) values.retry(event, rotated);
}

void Machine::on(const PlanChanged& event) {
  if (pod.stops()) return;
  if (!values.is_rotating()) return PlanChange(*this).take_plan(*event.plan);
  next_plan = event.plan;
  values.plan_waits();
  services.note_pod(What::plan_waits,
                    fmt::format("a new plan waits for the end of the rotation of generation {}",
                                values.snapshot()->generation));
}

void Machine::on(const Tick&) {}  // handle() looks at the timers after every event

void Machine::on(const InputRefused& event) {
  const bool plan = event.input == InputRefused::Input::plan;
  services.note_pod(
      plan ? What::plan_refused : What::values_refused,
      fmt::format("{}, but {} cannot be used, the old {}: {}", event.cause, plan ? "the plan" : "its values",
                  plan ? "one stays" : "ones stay", event.reason));
}

void Machine::on(const StopRequested& event) {
  ++pod.stop_requests;
  if (pod.stop_requests == 1) {
    if (!pod.stops()) {
      pod.verdict = fmt::format("stopped as asked ({})", event.cause);
      if (!pod.opened) tell_what_it_waited_for();
      PodRules(*this).stop_everything({.why = Why::stop_requested, .text = event.cause});
    }
    return;
  }
  if (pod.stop_requests == 2) return PodRules(*this).hurry(event.cause);
  PodRules(*this).kill_everything(fmt::format("asked a third time ({})", event.cause));
}

void Machine::tell_what_it_waited_for() {
  show_what_changed();
  const std::string why = what_keeps_it(view, services.now());
  if (why.empty()) return;
  pod.verdict += fmt::format("; it never became ready: {}", why);
  const auto first = std::ranges::find_if(view.services, is_unwell);
  if (first != view.services.end()) pod.culprit = first->name;
}

void Machine::on(const StartWaits& event) {
  if (pod.stops() || values.snapshot()) return;
  pod.start_waits_for = event.cause;
  if (!event.cause.empty()) services.note_pod(What::start_waits, "the start waits: " + event.cause);
}

void Machine::on(const Remark& event) {
  if (event.cause.empty()) return;
  switch (event.tone) {
    case Remark::Tone::info: return services.note_pod(What::remark, event.cause);
    case Remark::Tone::warning: return services.note_pod(What::warning, event.cause);
  }
}

void Machine::on(const Command& event) {
  if (event.service >= services.size() || pod.stops()) return;
  const ServiceId id = event.service;
  Run& run = services.change(id);
  const Cause by{.why = Why::operator_asked, .text = event.by};
  switch (event.verb) {
    case Command::Verb::start:
      services.note(What::start_asked, id, fmt::format("start, by the {}", event.by));
      run.wishes.switched_off = false;
      if (services.state(id) == State::stopping && run.stop.next == Next::stay_off) {
        run.stop.next = Next::start_again;
        run.restarts.start_cause = by;
      }
      if (is_up(services.state(id)) || services.state(id) == State::waiting) return;
      run.restarts.record.clear();
      run.restarts.start_cause = by;
      services.enter(id, State::waiting, by);
      services.touch(id);
      return;
    case Command::Verb::stop:
      services.note(What::stop_asked, id, fmt::format("stop, by the {}", event.by));
      run.wishes.switched_off = true;
      if (is_up(services.state(id))) return Stopping(*this).stop_with_bound(id, Next::stay_off, by);
      services.enter(id, State::off, by);
      return;
    case Command::Verb::restart:
      services.note(What::restart_asked, id, fmt::format("restart, by the {}", event.by));
      run.wishes.switched_off = false;
      run.restarts.record.clear();
      if (is_up(services.state(id))) return Stopping(*this).stop_with_bound(id, Next::start_again, by);
      run.restarts.start_cause = by;
      services.enter(id, State::waiting, by);
      services.touch(id);
      return;
  }
}

void Machine::take(const Event& event) {
  std::visit([this](const auto& each) { on(each); }, event);
}

}  // namespace arizuko::engine
