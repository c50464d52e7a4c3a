// New values and a new plan: what is affected, and nothing else, is restarted in order.
#include <algorithm>

#include <fmt/format.h>

#include "arizuko/env/difference.hpp"
#include "arizuko/env/scope.hpp"
#include "machine.hpp"

namespace arizuko::engine {

namespace {

// What a running process or its watches depend on; the rest of a definition can change under it.
bool same_process(plan::Service before, const plan::Service& after) {
  before.description = after.description;
  before.enabled = after.enabled;
  before.enabled_when = after.enabled_when;
  before.after = after.after;
  before.after_tried = after.after_tried;
  before.bound_to = after.bound_to;
  before.restart = after.restart;
  before.stop = after.stop;
  before.essential = after.essential;
  before.ready_within = after.ready_within;
  before.on_change = after.on_change;
  before.change_signal = after.change_signal;
  before.drop = after.drop;
  // Values are compared by what comes out of them (apply_values).
  before.take = after.take;
  before.need = after.need;
  before.env = after.env;
  return before == after;
}

}  // namespace

void Engine::Machine::take_values(ServiceId id) {
  Runtime& run = runs_[id];
  const plan::Service& what = service(id);
  run.part = what.enabled && env::enabled(what, *snapshot_);
  run.not_part_why = what.enabled ? env::why_disabled(what, *snapshot_) : "the plan says enabled = false";
  run.missing = env::missing(what, *snapshot_);
}

void Engine::Machine::on(const EnvironmentChanged& event) {
  if (stopping()) return;
  for (ServiceId id = 0; id < runs_.size(); ++id) {
    if (runs_[id].awaiting_values) task_is_done(id);
  }
  const env::SnapshotPtr before = snapshot_;
  const env::SnapshotPtr fresh = before ? without_guarded_changes(event.snapshot) : event.snapshot;
  if (before && before->values == fresh->values) return;
  if (before && refuse_values(*fresh)) return;
  snapshot_ = fresh;
  view_.generation = snapshot_->generation;
  for (ServiceId id = 0; id < runs_.size(); ++id) take_values(id);
  if (before) {
    note_pod(Note::About::environment, fmt::format("generation {} is taken: {}", snapshot_->generation,
                                                   env::to_text(env::difference(*before, *snapshot_))));
    return apply_values();
  }
  note_pod(Note::About::environment,
           fmt::format("generation {} is taken: {} values", snapshot_->generation, snapshot_->values.size()));
  refuse_boot_without_values();
  for (ServiceId id = 0; id < runs_.size(); ++id) touch(id);
}

// A guarded value never changes under a running instance: what it was encrypted with would be lost
// (T16). The rest of the snapshot is taken.
env::SnapshotPtr Engine::Machine::without_guarded_changes(const env::SnapshotPtr& fresh) {
  env::Snapshot kept = *fresh;
  std::map<std::string, std::optional<env::Value>> held;
  for (const std::string& key : plan_->env.guarded) {
    const auto old_value = snapshot_->values.find(key);
    const auto new_value = fresh->values.find(key);
    const bool was_set = old_value != snapshot_->values.end();
    const bool is_set = new_value != fresh->values.end();
    const bool same = was_set == is_set && (!was_set || old_value->second.text == new_value->second.text);
    if (same || !has_been_seen(key)) continue;
    held[key] = is_set ? std::optional(new_value->second) : std::nullopt;
    if (was_set) {
      kept.values[key] = old_value->second;
    } else {
      kept.values.erase(key);
    }
  }
  for (const auto& [key, value] : held) {
    const auto known = held_back_.find(key);
    if (known != held_back_.end() && known->second == value) continue;
    note_pod(Note::About::environment,
             fmt::format("{} was {} and is held back: what was stored under the old value could not be read "
                         "any more. It is taken when the run is started anew",
                         key, value ? (snapshot_->has(key) ? "changed" : "added") : "removed"));
  }
  held_back_ = std::move(held);
  return held_back_.empty() ? fresh : std::make_shared<const env::Snapshot>(std::move(kept));
}

// A value that no service was started with yet is free: nothing was stored under it.
bool Engine::Machine::has_been_seen(const std::string& key) const {
  for (ServiceId id = 0; id < runs_.size(); ++id) {
    if (service(id).kind != plan::Kind::service || runs_[id].spawn == 0) continue;
    const std::vector<std::string> scope = env::scope(*plan_, service(id));
    if (std::ranges::find(scope, key) != scope.end()) return true;
  }
  return false;
}

// A snapshot that would leave a running service without a value it needs is not taken at all.
bool Engine::Machine::refuse_values(const env::Snapshot& snapshot) {
  std::vector<std::string> lacks;
  for (ServiceId id = 0; id < runs_.size(); ++id) {
    const plan::Service& what = service(id);
    if (!is_up(state(id)) || runs_[id].switched_off || !what.enabled || !env::enabled(what, snapshot))
      continue;
    const std::vector<std::string> missing = env::missing(what, snapshot);
    if (!missing.empty()) lacks.push_back(fmt::format("{} needs {}", what.name, fmt::join(missing, ", ")));
  }
  if (lacks.empty()) return false;
  note_pod(Note::About::environment, fmt::format("generation {} is refused, the old values stay: {}",
                                                 snapshot.generation, fmt::join(lacks, "; ")));
  return true;
}

void Engine::Machine::apply_values() {
  for (std::uint32_t rank = 0; rank < runs_.size(); ++rank) {
    const ServiceId id = dependencies_.at_rank(rank);
    Runtime& run = runs_[id];
    const plan::Service& what = service(id);
    touch(id);
    if (state(id) == State::failed || state(id) == State::backoff) {
      if (!run.part || has_old_values(id)) try_again_with(id, "its values changed");
      continue;
    }
    if (!is_up(state(id)) || state(id) == State::stopping) continue;
    if (!run.part) {
      stop_with_bound(id, Next::stay_off, run.not_part_why);
      continue;
    }
    if (what.kind == plan::Kind::task || !has_old_values(id)) continue;
    switch (what.on_change) {
      case plan::OnChange::restart: stop_with_bound(id, Next::start_again, "its values changed"); break;
      case plan::OnChange::signal:
        if (state(id) == State::starting) {  // it may not handle the signal yet, and die of it
          stop_with_bound(id, Next::start_again, "its values changed");
          break;
        }
        run.values = snapshot_;
        run.defined_by = plan_;
        emit(Signal{id, run.spawn, Target::main, what.change_signal});
        note(Note::About::signal, id, fmt::format("{}: its values changed", signal_name(what.change_signal)));
        break;
      case plan::OnChange::ignore: break;
    }
  }
}

// Its environment would be another one today: by new values, or by a new definition of what it sees.
bool Engine::Machine::has_old_values(ServiceId id) const {
  const Runtime& run = runs_[id];
  if (!run.values) return false;
  const plan::Plan& then = *run.defined_by;
  return env::compose(then, then.services[id], *run.values) != env::compose(*plan_, service(id), *snapshot_);
}

// What failed before may work now (or is not part of the instance any more: then it is off).
void Engine::Machine::try_again_with(ServiceId id, const std::string& cause) {
  runs_[id].failures.clear();
  shown(id).failures = 0;
  runs_[id].start_cause = cause;
  enter(id, State::waiting, cause);
}

void Engine::Machine::on(const PlanChanged& event) {
  if (stopping()) return;
  std::vector<ServiceId> changed;
  adopt(merged_with(*event.plan, changed));
  note_pod(Note::About::plan, fmt::format("a new plan is taken; {} definitions changed", changed.size()));
  if (!snapshot_) return;
  for (ServiceId id = 0; id < runs_.size(); ++id) take_values(id);
  for (const ServiceId id : changed) {
    if (is_up(state(id)) && service(id).enabled)
      stop_with_bound(id, Next::start_again, "its definition changed");
    if (state(id) == State::failed || state(id) == State::backoff)
      try_again_with(id, "its definition changed");
  }
  apply_values();
}

// Services keep their numbers: those of the running plan first, at their places, then the new ones.
// What the new plan has no more stays as a disabled entry.
PlanPtr Engine::Machine::merged_with(const plan::Plan& fresh, std::vector<ServiceId>& changed) const {
  plan::Plan merged = fresh;
  merged.services = plan_->services;
  std::vector<ServiceId> number(fresh.services.size());
  const std::size_t before = merged.services.size();
  for (ServiceId id = 0; id < fresh.services.size(); ++id) {
    const plan::Service& each = fresh.services[id];
    const auto same = std::ranges::find_if(plan_->services, [&](const plan::Service& old) {
      return old.name == each.name && old.kind == each.kind;
    });
    number[id] = static_cast<ServiceId>(same - plan_->services.begin());
    if (same == plan_->services.end()) {
      number[id] = static_cast<ServiceId>(merged.services.size());
      merged.services.push_back(each);
    }
  }
  const auto renumber = [&](std::vector<ServiceId>& list) {
    for (ServiceId& id : list) id = number[id];
  };
  std::vector<bool> kept(merged.services.size(), false);
  for (ServiceId id = 0; id < fresh.services.size(); ++id) {
    plan::Service each = fresh.services[id];
    renumber(each.after);
    renumber(each.bound_to);
    renumber(each.after_tried);
    kept[number[id]] = true;
    if (number[id] < before && !same_process(plan_->services[number[id]], each))
      changed.push_back(number[id]);
    merged.services[number[id]] = std::move(each);
  }
  renumber(merged.pod.ready_when);
  for (ServiceId id = 0; id < merged.services.size(); ++id) {
    if (kept[id]) continue;
    plan::Service& gone = merged.services[id];
    gone.enabled = false;
    gone.after.clear();
    gone.bound_to.clear();
    gone.after_tried.clear();
  }
  return std::make_shared<const plan::Plan>(std::move(merged));
}

void Engine::Machine::adopt(PlanPtr merged) {
  const PlanPtr before = plan_;
  plan_ = std::move(merged);
  dependencies_ = Dependencies(*plan_);
  touched_.clear();
  runs_.resize(plan_->services.size());
  timer_.resize(plan_->services.size());
  for (ServiceId id = 0; id < plan_->services.size(); ++id) {
    if (id >= view_.services.size()) {
      view_.services.push_back(fresh_view(service(id)));
    } else {
      ServiceView& view = shown(id);
      view.essential = service(id).essential;
      view.port = service(id).port;
      // A run whose conditions changed is restarted; until its next start the old ones are shown.
      const bool same_conditions =
          before->services[id].ready == service(id).ready && before->services[id].live == service(id).live;
      if (!same_conditions) {
        const ServiceView fresh = fresh_view(service(id));
        view.readiness = fresh.readiness;
        view.liveness = fresh.liveness;
        runs_[id].watched.assign(watch_numbers(service(id)).end, ConditionView::Is::unknown);
      }
    }
    touch(id);
  }
}

}  // namespace arizuko::engine
