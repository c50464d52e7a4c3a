// What people and Kubernetes are told.
#include <chrono>

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include "arizuko/engine/why.hpp"
#include "clock.hpp"
#include "supervisor_impl.hpp"

namespace arizuko::host {

namespace {

constexpr std::size_t last_lines_told = 8;
// While things change all the time. It tells of every service that is not well: written at each turn of the
// loop, 100 that end would be told of 100 times.
constexpr std::chrono::milliseconds between_termination_messages{50};

Level level_of(const HistoryEvent& event) {
  const auto is = [&](engine::State state) { return event.to == engine::to_text(state); };
  if (is(engine::State::failed)) return Level::error;
  if (is(engine::State::backoff) || is(engine::State::blocked) || is(engine::State::unready))
    return Level::warn;
  const auto about = [&](engine::Note::About which) { return event.event == engine::to_text(which); };
  if (about(engine::Note::About::spawn_failed)) return Level::error;
  if (about(engine::Note::About::condition)) return Level::warn;  // only dropped ones are lines
  if (about(engine::Note::About::exited) && !event.cause.contains("code 0")) return Level::warn;
  if (about(engine::Note::About::environment) && !event.cause.contains("is taken:")) return Level::warn;
  if (about(engine::Note::About::signal)) return Level::warn;  // only SIGKILL is a line
  if (about(engine::Note::About::warning)) return Level::warn;
  return Level::info;
}

// Not every step of history is worth a line of the log: `events` has them all.
bool worth_a_line(const HistoryEvent& event) {
  using engine::Note;
  const auto about = [&](Note::About which) { return event.event == engine::to_text(which); };
  if (about(Note::About::spawned)) return false;
  if (about(Note::About::condition)) return event.cause.starts_with("dropped");
  if (about(Note::About::signal)) return event.cause.starts_with("SIGKILL");
  if (!about(Note::About::state)) return true;
  return event.to != engine::to_text(engine::State::starting) &&
         event.to != engine::to_text(engine::State::waiting) &&
         !(event.to == engine::to_text(engine::State::off) &&
           event.from == engine::to_text(engine::State::waiting));
}

}  // namespace

void Supervisor::Impl::log(Level level, const std::string& unredacted) {
  std::string text = unredacted;
  redactor.clean(text);
  logs.add(own_name, Stream::err, text, Clock::unix_nanoseconds());
  LogRecord record;
  record.service = own_name;
  record.level = level;
  record.text = text;
  record.own = true;
  output.write(record);
}

void Supervisor::Impl::log_note(const HistoryEvent& event) {
  if (!worth_a_line(event)) return;
  const std::string subject = event.service.empty() ? "" : event.service + ": ";
  const std::string change = event.to.empty() ? "" : fmt::format("{} -> {}: ", event.from, event.to);
  log(level_of(event), subject + change + event.cause);
}

void Supervisor::Impl::something_changed() {
  if (telling) return;
  telling = true;
  boost::asio::post(io, [this] {
    if (!over) tell_subscribers();
  });
}

void Supervisor::Impl::tell_subscribers() {
  telling = false;
  if (termination_due && !over) refresh_termination_message();
  const auto listeners = subscribers;  // one may unsubscribe
  for (const auto& [number, changed] : listeners) {
    if (subscribers.contains(number)) changed();
  }
}

void Supervisor::Impl::refresh_termination_message() {
  const engine::Instant due = termination_written + between_termination_messages;
  const engine::Instant now = Clock::now();
  // The pod's own state is never late.
  if (now >= due || engine.view().state != termination_state) return write_termination_message();
  if (termination_timer.expiry() > std::chrono::steady_clock::now()) return;  // it is armed
  termination_timer.expires_after(due - now);
  termination_timer.async_wait([this](const boost::system::error_code& error) {
    if (!error && !over && termination_due) write_termination_message();
  });
}

void Supervisor::Impl::write_termination_message() {
  termination_due = false;
  termination_written = Clock::now();
  termination_state = engine.view().state;
  const engine::View& view = engine.view();
  TerminationReport report;
  report.exit_code = view.exit_code;
  report.state = engine::to_text(view.state);
  report.reason = view.verdict.empty() ? engine::why_pod(view, Clock::now()) : view.verdict;
  std::vector<std::string> unwell;
  for (const engine::ServiceView& each : view.services) {
    if (each.state == engine::State::ready || each.state == engine::State::done ||
        each.state == engine::State::off)
      continue;
    report.services.push_back(fmt::format("{}: {}: {}", each.name, engine::to_text(each.state), each.cause));
    unwell.push_back(each.name);
  }
  if (!culprit.empty()) unwell = {culprit};
  if (!unwell.empty()) {
    for (const KeptLine& line : logs.tail(unwell, last_lines_told)) {
      report.last_lines.push_back(fmt::format("{}: {}", line.service, line.text));
    }
  }
  redactor.clean(report.reason);
  for (std::string& each : report.services) redactor.clean(each);
  termination.write(report);
}

}  // namespace arizuko::host
