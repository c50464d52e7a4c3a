// An instance that is what the test says, and remembers what it was asked to do.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "arizuko/host/supervisor/instance.hpp"

namespace arizuko::api {

class FakeInstance final : public host::Instance {
 public:
  static constexpr std::int64_t start_unix = 1'795'000'000'000'000'000;  // 2026-11-18T11:06:40Z

  FakeInstance() {
    view_.instance = "demo";
    view_.state = engine::PodState::running;
    view_.started = view_.since = at(0);
    view_.values.generation = 1;
    view_.seeded = view_.opened = view_.ready = true;
    view_.cause = "everything in ready_when is ready";
    add("seed", plan::Kind::task, engine::State::done, 0);
    add("gated", plan::Kind::service, engine::State::ready, 9080);
    view_.services[1].run.pid = 42;
  }

  static engine::Instant at(std::int64_t seconds) { return engine::Instant(std::chrono::seconds(seconds)); }

  engine::ServiceView& add(std::string name, plan::Kind kind, engine::State state, std::uint16_t port) {
    engine::ServiceView service;
    service.name = std::move(name);
    service.kind = kind;
    service.state = state;
    service.port = port;
    service.since = at(2);
    service.cause = "every condition holds";
    view_.services.push_back(service);
    return view_.services.back();
  }

  void happen(std::string service, std::string_view from, std::string_view to, std::string cause) {
    history_.push_back({++seq_, start_unix + static_cast<std::int64_t>(seq_) * 1'000'000, std::move(service),
                        "state", from, to, std::move(cause), "state-changed"});
    notify();
  }
  /// The history drops its oldest events.
  void forget_events(std::size_t count) {
    history_.erase(history_.begin(), history_.begin() + static_cast<std::ptrdiff_t>(count));
  }
  void log(std::string_view service, std::string_view text) {
    logs_.add(service, host::Stream::err, text, start_unix);
    notify();
  }
  void notify() {
    for (const auto& [number, changed] : std::map(subscribers_)) changed();
  }

  const plan::Plan& plan() const override { return plan_; }
  const engine::View& view() const override { return view_; }
  engine::Instant now() const override { return now_; }
  std::int64_t unix_nanoseconds(engine::Instant instant) const override {
    return start_unix + instant.time_since_epoch().count();
  }
  std::vector<host::HistoryEvent> events(std::uint64_t after, std::size_t limit) const override {
    std::vector<host::HistoryEvent> found;
    for (const host::HistoryEvent& event : history_) {
      if (event.seq > after && found.size() < limit) found.push_back(event);
    }
    return found;
  }
  const host::LogHistory& logs() const override { return logs_; }
  host::Counters counters() const override { return counters_; }
  void redact(std::string& text) const override {
    if (const std::size_t at = text.find(secret_); !secret_.empty() && at != std::string::npos)
      text.replace(at, secret_.size(), "[redacted:TEST]");
  }
  host::CommandResult command(engine::Command::Verb verb, std::string_view service, std::string by) override {
    const char* word = verb == engine::Command::Verb::start  ? "start"
                       : verb == engine::Command::Verb::stop ? "stop"
                                                             : "restart";
    asked_.push_back(std::string(word) + ' ' + std::string(service) + " by " + by);
    if (on_command) on_command();
    return answer_;
  }
  host::CommandResult reload(std::string by) override {
    asked_.push_back("reload by " + by);
    return answer_;
  }
  std::vector<host::KeyFacts> keys() const override { return keys_; }
  host::CommandResult accept(std::string_view key, std::string by) override {
    asked_.push_back("accept " + std::string(key) + " by " + by);
    return answer_;
  }
  std::optional<host::AgentsFacts> agents() const override { return agents_; }
  host::CommandResult retry(std::optional<std::string> key, std::string by) override {
    asked_.push_back("retry " + key.value_or("all") + " by " + by);
    return answer_;
  }
  host::GroupFacts control_groups() const override { return groups_; }
  std::optional<host::GroupUsage> usage(plan::ServiceId service) const override {
    const auto found = usage_.find(service);
    return found == usage_.end() ? std::nullopt : std::optional(found->second);
  }
  std::uint64_t subscribe(std::function<void()> changed) override {
    subscribers_[++subscription_] = std::move(changed);
    if (on_subscribe) on_subscribe();
    return subscription_;
  }
  void unsubscribe(std::uint64_t subscription) override { subscribers_.erase(subscription); }

  engine::View view_;
  engine::Instant now_ = at(10);
  host::LogHistory logs_;
  host::Counters counters_;
  std::string secret_;
  std::optional<host::AgentsFacts> agents_;
  plan::Plan plan_;
  std::vector<host::HistoryEvent> history_;
  std::uint64_t seq_ = 0;
  std::vector<std::string> asked_;
  std::vector<host::KeyFacts> keys_;
  host::GroupFacts groups_{"", {}, "this kernel runs without control groups of version 2"};
  std::map<plan::ServiceId, host::GroupUsage> usage_;
  host::CommandResult answer_{true, "gated: restart asked for"};
  std::map<std::uint64_t, std::function<void()>> subscribers_;
  std::uint64_t subscription_ = 0;
  std::function<void()> on_subscribe;
  std::function<void()> on_command;
};

}  // namespace arizuko::api
