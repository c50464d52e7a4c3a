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

Level level_of(engine::Severity severity) {
  switch (severity) {
    case engine::Severity::info: return Level::info;
    case engine::Severity::warning: return Level::warn;
    case engine::Severity::error: return Level::error;
  }
  return Level::error;
}

}  // namespace

void Supervisor::Impl::log(Level level, const std::string& unredacted) {
  std::string text = unredacted;
  redactor.clean(text);
  const std::optional<std::uint64_t> left_out = repeated.say(text, Clock::now());
  if (!left_out) return;
  if (*left_out > 0) text += fmt::format(" (and {} more times since it was last said)", *left_out);
  logs.add(own_name, Stream::err, text, Clock::unix_nanoseconds());
  LogRecord record;
  record.service = own_name;
  record.level = level;
  record.text = text;
  record.own = true;
  output.write(record);
}

void Supervisor::Impl::log_note(const engine::Note& note) {
  if (!engine::worth_a_line(note)) return;
  const std::string subject = note.service.empty() ? "" : note.service + ": ";
  const std::string change =
      note.to ? fmt::format("{} -> {}: ", engine::to_text(*note.from), engine::to_text(*note.to)) : "";
  log(level_of(engine::severity(note)), subject + change + note.cause);
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
