#include "termination_keeper.hpp"

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "arizuko/engine/why.hpp"
#include "clock.hpp"

namespace arizuko::host {

namespace {

constexpr std::size_t last_lines_told = 8;
// While things change all the time. It tells of every service that is not well: written at each turn of the
// loop, 100 that end would be told of 100 times.
constexpr std::chrono::milliseconds between_writes{50};

}  // namespace

TerminationReport termination_report(const engine::View& view, const LogHistory& logs,
                                     const std::string& culprit, engine::Instant now) {
  TerminationReport report;
  report.exit_code = view.exit_code;
  report.state = engine::to_text(view.state);
  report.reason = view.verdict.empty() ? engine::why_pod(view, now) : view.verdict;
  std::vector<std::string> unwell;
  for (const engine::ServiceView& each : view.services) {
    if (!engine::is_unwell(each)) continue;
    report.services.push_back(fmt::format("{}: {}: {}", each.name, engine::to_text(each.state), each.cause));
    unwell.push_back(each.name);
  }
  if (!culprit.empty()) unwell = {culprit};
  if (unwell.empty()) return report;
  for (const KeptLine& line : logs.tail(unwell, last_lines_told)) {
    report.last_lines.push_back(fmt::format("{}: {}", line.service, line.text));
  }
  return report;
}

TerminationKeeper::TerminationKeeper(boost::asio::io_context& io, std::string path,
                                     const engine::Engine& engine, const LogHistory& logs, Washer& washer)
    : engine_(engine), logs_(logs), washer_(washer), message_(std::move(path)), timer_(io) {}

void TerminationKeeper::refresh() {
  if (!due_ || over_) return;
  const engine::Instant due = written_ + between_writes;
  const engine::Instant now = Clock::now();
  // The pod's own state is never late.
  if (now >= due || engine_.view().state != state_) return write();
  if (timer_.expiry() > std::chrono::steady_clock::now()) return;  // it is armed
  timer_.expires_after(due - now);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error && !over_ && due_) write();
  });
}

void TerminationKeeper::write_the_end(std::string culprit) {
  over_ = true;
  timer_.cancel();
  culprit_ = std::move(culprit);
  write();
}

void TerminationKeeper::write() {
  due_ = false;
  written_ = Clock::now();
  state_ = engine_.view().state;
  TerminationReport report = termination_report(engine_.view(), logs_, culprit_, written_);
  washer_.wash(report.reason);
  for (std::string& each : report.services) washer_.wash(each);
  message_.write(report);
}

}  // namespace arizuko::host
