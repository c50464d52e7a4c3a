#include "reporter.hpp"

#include <utility>

#include <fmt/format.h>

#include "clock.hpp"

namespace arizuko::host {

namespace {

Level level_of(engine::Severity severity) {
  switch (severity) {
    case engine::Severity::info: return Level::info;
    case engine::Severity::warning: return Level::warn;
    case engine::Severity::error: return Level::error;
  }
  return Level::error;
}

std::string line_of(const engine::Note& note) {
  const std::string subject = note.service.empty() ? "" : note.service + ": ";
  const std::string change =
      note.to ? fmt::format("{} -> {}: ", engine::to_text(*note.from), engine::to_text(*note.to)) : "";
  return subject + change + note.cause;
}

}  // namespace

Reporter::Reporter(boost::asio::io_context& io, const engine::Engine& engine, int log_descriptor,
                   LogFormatter formatter)
    : engine_(engine),
      lines_(io, log_descriptor, std::move(formatter), washer_),
      termination_(io, engine.plan()->pod.termination_log, engine, lines_.history(), washer_),
      subscribers_(io, [this] { termination_.refresh(); }) {}

void Reporter::note(engine::Note note) {
  washer_.wash(note.cause);
  history_.add(note, Clock::unix_nanoseconds());
  if (engine::worth_a_line(note)) log(level_of(engine::severity(note)), line_of(note));
  termination_.is_due();
  subscribers_.tell_soon();
}

void Reporter::of_child(Lines::Origin origin, std::string_view service, const Line& line,
                        const std::vector<std::string>& drop) {
  if (lines_.of_child(origin, service, line, drop) && !subscribers_.empty()) subscribers_.tell_soon();
}

void Reporter::learn(const plan::Plan& coming, const env::Snapshot& newest) {
  for (std::string& each : washer_.learn(*engine_.plan(), coming, newest)) log(Level::warn, std::move(each));
}

void Reporter::end(std::string culprit) {
  termination_.write_the_end(std::move(culprit));
  lines_.drain();
  subscribers_.tell_the_end();
}

}  // namespace arizuko::host
