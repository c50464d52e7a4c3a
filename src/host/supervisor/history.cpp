#include "history.hpp"

#include <algorithm>

namespace arizuko::host {

const HistoryEvent& History::add(const engine::Note& note, std::int64_t unix_nanoseconds) {
  HistoryEvent event;
  event.seq = note.seq;
  event.unix_nanoseconds = unix_nanoseconds;
  event.service = note.service;
  event.event = engine::to_text(engine::about(note.what));
  event.code = engine::to_text(note.what);
  if (note.from) event.from = engine::to_text(*note.from);
  if (note.to) event.to = engine::to_text(*note.to);
  if (note.why) event.why = engine::to_text(*note.why);
  event.cause = note.cause;
  events_.push_back(std::move(event));
  if (events_.size() > max_events) events_.pop_front();
  return events_.back();
}

std::vector<HistoryEvent> History::since(std::uint64_t after, std::size_t limit) const {
  // seq has no gaps, but the oldest may be gone.
  auto first = std::ranges::upper_bound(events_, after, {}, &HistoryEvent::seq);
  const auto available = static_cast<std::size_t>(events_.end() - first);
  return {first, first + static_cast<std::ptrdiff_t>(std::min(limit, available))};
}

}  // namespace arizuko::host
