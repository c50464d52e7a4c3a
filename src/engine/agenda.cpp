#include "agenda.hpp"

namespace arizuko::engine {

void Agenda::resize(std::size_t services) {
  touched_.clear();
  timer_.resize(services);
}

void Agenda::clear() {
  touched_.clear();
  timers_.clear();
  timer_.assign(timer_.size(), std::nullopt);
}

std::optional<std::uint32_t> Agenda::next_touched() {
  if (touched_.empty()) return std::nullopt;
  const std::uint32_t rank = *touched_.begin();
  touched_.erase(touched_.begin());
  return rank;
}

void Agenda::set_timer(ServiceId id, std::optional<Instant> at) {
  if (at == timer_[id]) return;
  if (timer_[id]) timers_.erase({*timer_[id], id});
  if (at) timers_.insert({*at, id});
  timer_[id] = at;
}

std::optional<Instant> Agenda::first_timer() const {
  return timers_.empty() ? std::nullopt : std::optional(timers_.begin()->first);
}

std::optional<ServiceId> Agenda::due(Instant now) const {
  if (timers_.empty() || timers_.begin()->first > now) return std::nullopt;
  return timers_.begin()->second;
}

std::vector<ServiceId> Agenda::before(Instant instant) const {
  std::vector<ServiceId> list;
  for (auto each = timers_.begin(); each != timers_.end() && each->first < instant; ++each)
    list.push_back(each->second);
  return list;
}

}  // namespace arizuko::engine
