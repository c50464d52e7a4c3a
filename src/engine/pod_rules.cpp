// The pod as a whole: opened, ready, stopping, the end.
#include <algorithm>

#include <fmt/format.h>

#include "arizuko/base/exit_codes.hpp"
#include "pod_rules.hpp"
#include "rotated.hpp"
#include "stopping.hpp"

namespace arizuko::engine {

namespace {

// The last part of the grace belongs to SIGKILL: this share of it, at most so long.
constexpr std::chrono::seconds kill_reserve{2};
constexpr int kill_reserve_share = 5;
// A second request leaves so much.
constexpr std::chrono::seconds hurried_grace{2};

// "gated, teled, discd and 10 more"
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::ptrdiff_t shown = 3;
  if (std::ssize(names) <= shown + 1) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + shown, ", "),
                     std::ssize(names) - shown);
}

}  // namespace

void PodRules::refresh_pod() {
  if (pod_.state == PodState::ended) return;
  // After each event, so it must not look at every service.
  pod_.seeded = values_.snapshot() && std::ranges::all_of(services_.tasks(), [this](ServiceId id) {
                  return state(id) == State::done || state(id) == State::off;
                });
  const bool serving = values_.snapshot() && std::ranges::none_of(services_.plan()->pod.ready_when,
                                                                  [this](ServiceId id) { return unmet(id); });
  pod_.ready = serving && pod_.seeded && !pod_stops();
  if (pod_.ready && !pod_.opened) {
    pod_.opened = true;
    pod_.state = PodState::running;
    pod_.since = now();
    pod_.cause = "everything that readiness asks for is ready";
    note_pod(What::pod_opened, "opened: " + pod_.cause);
  }
  if (pod_.state == PodState::stopping) consider_end();
}

void PodRules::end_pod(int code, const std::string& verdict, const std::string& culprit) {
  if (pod_stops()) return;
  pod_.exit_code = code;
  pod_.verdict = verdict;
  pod_.culprit = culprit;
  stop_everything({.why = Why::pod_ended, .text = verdict});
}

void PodRules::stop_everything(const Cause& cause) {
  Rotated rotated(machine_);
  values_.interrupt(to_text(cause), rotated);
  const Nanoseconds grace = services_.plan()->pod.grace;
  pod_.state = PodState::stopping;
  pod_.since = now();
  pod_.cause = to_text(cause);
  pod_.stop_deadline = now() + grace;
  pod_.kill_at = now() + grace - std::min<Nanoseconds>(kill_reserve, grace / kill_reserve_share);
  note_pod(What::pod_stopping, "stopping: " + pod_.cause);
  for (ServiceId id = 0; id < services_.size(); ++id) {
    if (!is_up(state(id))) {
      if (state(id) != State::failed && state(id) != State::done)
        enter(id, State::off, {.why = Why::pod_stops});
      refresh_timer(id);
      continue;
    }
    if (services_.run(id).phase == Phase::queued) change(id).stop.ordered = true;
    stopping().stop(id, Next::stay_off, Stopping::Order::dependents_first, cause);
    touch(id);
  }
}

// A second request: no more order, and little time.
void PodRules::hurry(const std::string& cause) {
  note_pod(What::pod_hurried, fmt::format("stopping faster: asked a second time ({})", cause));
  if (!pod_.kill_at) return;
  pod_.kill_at = std::min(*pod_.kill_at, now() + hurried_grace);
  for (ServiceId id = 0; id < services_.size(); ++id) {
    if (std::optional<Instant>& due = change(id).due) due = std::min(*due, *pod_.kill_at);
    touch(id);
  }
}

void PodRules::kill_everything(const std::string& cause) {
  note_pod(What::pod_killing, "killing what is left: " + cause);
  pod_.kill_at.reset();
  for (ServiceId id = 0; id < services_.size(); ++id) {
    const Run& run = services_.run(id);
    if (!run.processes.any() || run.processes.spawn_pending) continue;
    run.processes.main_alive ? stopping().kill_main(id) : stopping().kill_leftovers(id);
    refresh_timer(id);
  }
}

// Nothing is started any more: what has ended stays so, and need not be looked at again.
void PodRules::consider_end() {
  while (pod_.ended < services_.size() && !services_.run(pod_.ended).processes.any()) ++pod_.ended;
  if (pod_.ended == services_.size()) finish();
}

void PodRules::finish() {
  if (pod_.state == PodState::ended) return;
  std::vector<std::string> undead;
  for (ServiceId id = 0; id < services_.size(); ++id) {
    if (services_.run(id).processes.any()) undead.push_back(service(id).name);
  }
  if (!undead.empty()) {
    pod_.verdict += fmt::format("; {}these still have processes: {}",
                                pod_.exit_code == exit_code::fault ? "" : "the grace is over and ",
                                fmt::join(undead, ", "));
  }
  pod_.state = PodState::ended;
  pod_.since = now();
  note_pod(What::pod_ended, fmt::format("ended with exit code {}: {}", pod_.exit_code, pod_.verdict));
  emit(Exit{pod_.exit_code, pod_.verdict, pod_.culprit});
}

// A fault of ours. Nothing that the engine still remembers can be relied on: the host ends what lives.
void PodRules::end_by_fault(const std::string& sentence) {
  if (pod_.state == PodState::ended) return;
  services_.agenda().clear();
  pod_.exit_code = exit_code::fault;
  pod_.verdict = "a fault of arizuko-init: " + sentence + ". Please report it, with `arizuko-init events`";
  note_pod(What::fault, pod_.verdict);
  finish();
}

// At boot: an essential service that lacks a needed value makes the whole run pointless.
void PodRules::refuse_boot_without_values() {
  std::map<std::string, std::vector<std::string>> lacking;  // by key: one that all need is said once
  std::string culprit;
  bool essential = false;
  for (ServiceId id = 0; id < services_.size(); ++id) {
    const Run& run = services_.run(id);
    if (!run.wishes.part || run.wishes.missing.empty()) continue;
    for (const std::string& key : run.wishes.missing) lacking[key].push_back(service(id).name);
    if (service(id).essential && !essential) culprit = service(id).name;
    essential = essential || service(id).essential;
  }
  if (!essential) return;
  std::vector<std::string> lacks;
  for (const auto& [key, names] : lacking) {
    const auto unusable = values_.snapshot()->unusable.find(key);
    lacks.push_back(
        fmt::format("{} (for {}){}", key, some_of(names),
                    unusable == values_.snapshot()->unusable.end() ? "" : ": " + unusable->second));
  }
  end_pod(exit_code::wrong_plan,
          fmt::format("needed values are not set: {}. Set them in one of the sources of [env]: the mounted "
                      "Secret or ConfigMap, the .env file, the environment",
                      fmt::join(lacks, "; ")),
          culprit);
}

}  // namespace arizuko::engine
