// The running instance: carries out what the engine decides and tells it what happened.
//
// One thread, one io_context. The engine decides; everything here is obedience and observation.
// What goes wrong while obeying (no process to be had, no space) is an event, never the end.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "arizuko/engine/engine.hpp"
#include "arizuko/host/groups/control_groups.hpp"
#include "arizuko/host/logs/log_history.hpp"
#include "arizuko/host/logs/log_output.hpp"
#include "arizuko/host/state/state_dir.hpp"
#include "arizuko/host/supervisor/instance.hpp"
#include "arizuko/plan/load.hpp"

namespace arizuko::host {

class Supervisor final : public Instance {
 public:
  /// How plan and values are read while the instance runs.
  struct Reading {
    /// Both anew, for SIGHUP and `reload`; the error is text for people.
    std::function<std::expected<std::pair<engine::PlanPtr, env::SnapshotPtr>, std::string>()> reload;
    std::string plan_file;         // reloaded when it changes; empty: never
    char** environment = nullptr;  // `environ`
    std::function<void(const plan::Plan&, env::Snapshot&)> complete;  // a rehearsal makes up what is missing
    std::vector<std::string> notices;                                 // of the first reading: told already
  };
  struct Options {
    engine::PlanPtr plan;
    env::SnapshotPtr snapshot;
    LogFormatter formatter;
    int log_descriptor = 1;
    StateDir state;  // <data_dir>/.arizuko-init
    Reading reading;
    std::string accept_guarded;  // ARIZUKO_ACCEPT_GUARDED, see guarded_store.hpp
    /// The error is a clause that says why there are none. May be given later: use().
    std::expected<ControlGroups, std::string> groups = std::unexpected("nobody asked for them");
  };

  Supervisor(boost::asio::io_context& io, Options options);
  ~Supervisor() override;
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Signals are heard from now on. `ended` is called once, with the exit code, when the last child is gone
  /// and the log is drained: also before start(), when the instance is told to stop.
  void attend(std::function<void(int exit_code)> ended);
  /// What has to be over before start() (a clause for people); nothing of the data directory is touched
  /// before that.
  void start_waits(std::string cause);
  /// A line of history, and of the log.
  void remark(engine::Remark::Tone tone, std::string cause);
  /// Makes the values of env.generated that no source has. Under the data directory's lock, before start().
  /// The error is a sentence.
  std::expected<void, std::string> generate_values();
  /// The control groups, where they were not available when this was made. Before start().
  void use(std::expected<ControlGroups, std::string> groups);
  /// Starts the instance: the first snapshot goes to the engine. After attend().
  void start();
  void request_stop(std::string cause);
  /// A turn of the loop was given up because memory ran out (std::bad_alloc came out of it): goes on with the
  /// next.
  void memory_was_short();
  /// A line of our own on the log.
  void log(Level level, const std::string& text);

  const plan::Plan& plan() const override;
  const engine::View& view() const override;
  engine::Instant now() const override;
  std::int64_t unix_nanoseconds(engine::Instant instant) const override;
  std::vector<HistoryEvent> events(std::uint64_t after, std::size_t limit) const override;
  const LogHistory& logs() const override;
  Counters counters() const override;
  CommandResult command(engine::Command::Verb verb, std::string_view service, std::string by) override;
  CommandResult reload(std::string by) override;
  std::vector<KeyFacts> keys() const override;
  CommandResult accept(std::string_view key, std::string by) override;
  CommandResult retry(std::optional<std::string> key, std::string by) override;
  GroupFacts control_groups() const override;
  std::optional<AgentsFacts> agents() const override;
  std::optional<GroupUsage> usage(plan::ServiceId service) const override;
  std::uint64_t subscribe(std::function<void()> changed) override;
  void unsubscribe(std::uint64_t subscription) override;
  void redact(std::string& text) const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace arizuko::host
