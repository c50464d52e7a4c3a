#include "arizuko/engine/why.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace arizuko::engine {

namespace {

constexpr int most_links = 8;

std::string exit_or_cause(const ServiceView& view) {
  return view.cause.empty() ? "of no known cause" : view.cause;
}

// A clause about one service, and the chain below it.
std::string clause(const View& view, ServiceId id, Instant now, int links) {
  const ServiceView& each = view.services[id];
  const std::string since = duration_text(now - each.since);
  const std::string what = fmt::format("{}", fmt::join(each.waiting_for, ", "));
  switch (each.state) {
    case State::off: return fmt::format("{} is off: {}", each.name, exit_or_cause(each));
    case State::blocked: return fmt::format("{} is blocked: {}", each.name, exit_or_cause(each));
    case State::done: return fmt::format("{} is done: {}", each.name, exit_or_cause(each));
    case State::failed: return fmt::format("{} gave up {} ago: {}", each.name, since, exit_or_cause(each));
    case State::ready:
      return fmt::format("{} has been ready for {}; it was started because {}", each.name, since,
                         each.run.last_start_cause);
    case State::unready: return fmt::format("{} has been unready for {}: {}", each.name, since, what);
    case State::starting:
      return fmt::format("{} has been starting for {} and waits for {}; it was started because {}", each.name,
                         since, what.empty() ? "its end" : what, each.run.last_start_cause);
    case State::backoff:
      return fmt::format("{} starts again in {}, because {}", each.name,
                         each.runs.next_start ? duration_text(*each.runs.next_start - now) : "a moment",
                         exit_or_cause(each));
    case State::waiting:
    case State::stopping: break;
  }
  const std::string verb = each.state == State::waiting ? "waits for" : "is stopping and waits for";
  std::string text = fmt::format("{} {} {}", each.name, verb, what.empty() ? "its turn" : what);
  if (each.state == State::stopping)
    text += fmt::format(" (it was told to stop because {})", exit_or_cause(each));
  if (links > 0 && !each.waiting_for_services.empty()) {
    text += "; " + clause(view, each.waiting_for_services.front(), now, links - 1);
  }
  return text;
}

/// "; slakd, emaid and 3 more are not well either": without those that only wait for somebody.
std::string others_unwell(const View& view, std::ptrdiff_t told) {
  constexpr std::size_t most_names = 3;
  std::vector<std::string_view> names;
  for (std::size_t id = 0; id < view.services.size(); ++id) {
    const ServiceView& each = view.services[id];
    const bool waits = each.state == State::waiting || each.state == State::stopping;
    if (static_cast<std::ptrdiff_t>(id) != told && !waits && is_unwell(each)) names.push_back(each.name);
  }
  if (names.empty()) return "";
  const std::size_t shown = std::min(names.size(), most_names);
  std::string text =
      fmt::format("; {}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text + (names.size() == 1 ? " is not well either" : " are not well either");
}

}  // namespace

std::string duration_text(Nanoseconds duration) {
  using std::chrono::duration_cast;
  const auto ms = std::max<std::int64_t>(0, duration_cast<std::chrono::milliseconds>(duration).count());
  if (ms < 1000) return fmt::format("{} ms", ms);
  if (ms < 10'000) return fmt::format("{}.{} s", ms / 1000, ms % 1000 / 100);
  const auto s = ms / 1000;
  const auto pair = [](std::int64_t big, const char* big_unit, std::int64_t small, const char* small_unit) {
    return small == 0 ? fmt::format("{} {}", big, big_unit)
                      : fmt::format("{} {} {} {}", big, big_unit, small, small_unit);
  };
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return pair(s / 60, "min", s % 60, "s");
  if (s < 86'400) return pair(s / 3600, "h", s % 3600 / 60, "min");
  return pair(s / 86'400, "d", s % 86'400 / 3600, "h");
}

std::string why(const View& view, ServiceId service, Instant now) {
  if (service >= view.services.size()) return "There is no such service.";
  return clause(view, service, now, most_links) + ".";
}

std::string why_pod(const View& view, Instant now) {
  if (view.state == PodState::ended) return fmt::format("The run is over: {}.", view.verdict);
  if (view.state == PodState::stopping) {
    std::string text = fmt::format("The pod is stopping because {}", view.cause);
    const auto up =
        std::ranges::find_if(view.services, [](const ServiceView& each) { return is_up(each.state); });
    if (up != view.services.end()) {
      text += "; " + clause(view, static_cast<ServiceId>(up - view.services.begin()), now, most_links);
    }
    return text + ".";
  }
  const std::string what = what_keeps_it(view, now);
  if (what.empty()) return "Nothing keeps the pod from being ready.";
  if (!view.start_waits_for.empty()) return fmt::format("Nothing is started yet: {}.", what);
  return (view.ready ? "The pod is ready, but " : "The pod is not ready: ") + what + ".";
}

std::string what_keeps_it(const View& view, Instant now) {
  if (!view.start_waits_for.empty()) return view.start_waits_for;
  const auto first = std::ranges::find_if(view.services, is_unwell);
  if (first == view.services.end()) return "";
  return clause(view, static_cast<ServiceId>(first - view.services.begin()), now, most_links) +
         others_unwell(view, first - view.services.begin());
}

bool is_unwell(const ServiceView& service) {
  return service.state != State::ready && service.state != State::done && service.state != State::off;
}

namespace {

/// Blocked, or waiting for what is.
bool is_stuck(const View& view, ServiceId id, int links) {
  const ServiceView& each = view.services[id];
  if (each.state == State::blocked) return true;
  if (each.state != State::waiting || links == 0) return false;
  return std::ranges::any_of(each.waiting_for_services,
                             [&](ServiceId other) { return is_stuck(view, other, links - 1); });
}

}  // namespace

bool waits_for_operator(const View& view, const std::vector<ServiceId>& ready_when) {
  if (!view.seeded || view.opened || !view.start_waits_for.empty()) return false;
  if (view.state == PodState::stopping || view.state == PodState::ended) return false;
  bool stuck = false;
  for (const ServiceId id : ready_when) {
    if (!is_unwell(view.services[id])) continue;
    if (!is_stuck(view, id, most_links)) return false;
    stuck = true;
  }
  return stuck;
}

bool all_well(const View& view) {
  if (view.state == PodState::stopping || view.state == PodState::ended) return false;
  return std::ranges::none_of(view.services, is_unwell);
}

}  // namespace arizuko::engine
