// What the API may see of a running instance, and ask of it.
//
// An interface, so that the API is tried without a process: the supervisor implements it. Everything
// is called on the loop's thread. Nothing here gives out a value of the environment.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/engine/engine.hpp"
#include "arizuko/host/groups/control_groups.hpp"
#include "arizuko/host/logs/log_history.hpp"
#include "arizuko/host/state/agents_facts.hpp"

namespace arizuko::host {

/// One line of history as it is kept and shown by `events`. What is a view here is one of the engine's words
/// (to_text of What, About, State, Why): static text, empty when there is none.
struct HistoryEvent {
  std::uint64_t seq = 0;
  std::int64_t unix_nanoseconds = 0;
  std::string service;     // empty: the pod
  std::string_view event;  // "state", "exited", "condition", ...
  std::string_view from;   // of a change of state: the states
  std::string_view to;
  std::string cause;
  std::string_view code;   // "generation-refused"
  std::string_view why{};  // of a change of state: "not-ready"
};

struct Counters {
  std::uint64_t orphans_reaped = 0;
  std::uint64_t log_lines_dropped = 0;
  std::uint64_t log_lines = 0;
  std::uint64_t log_bytes_written = 0;
  std::uint64_t log_lines_cut = 0;
  std::uint64_t redactions = 0;
};

/// The answer to an operator's command.
struct CommandResult {
  bool accepted = false;
  std::string message;  // "gated: restart asked for", or why not
};

/// One key of the environment, for `arizuko-init secrets`: never its value.
struct KeyFacts {
  std::string name;
  std::string source;  // where its value comes from; empty: it is not set
  std::vector<std::string> taken_by;
  std::optional<engine::Instant> since;  // it has had its present value in this run
  bool guarded = false;
  std::string fingerprint;  // of a guarded one: 8 digits, or empty
};

class Instance {
 public:
  virtual ~Instance() = default;

  virtual const plan::Plan& plan() const = 0;
  virtual const engine::View& view() const = 0;
  virtual engine::Instant now() const = 0;
  /// The wall clock of an engine instant.
  virtual std::int64_t unix_nanoseconds(engine::Instant instant) const = 0;
  virtual std::vector<HistoryEvent> events(std::uint64_t after, std::size_t limit) const = 0;
  virtual const LogHistory& logs() const = 0;
  virtual Counters counters() const = 0;
  virtual CommandResult command(engine::Command::Verb verb, std::string_view service, std::string by) = 0;
  virtual CommandResult reload(std::string by) = 0;
  /// Every key that the plan gives to somebody, in the order of names.
  virtual std::vector<KeyFacts> keys() const = 0;
  /// Accepts the value of a key that is held back until somebody does.
  virtual CommandResult accept(std::string_view key, std::string by) = 0;
  /// Tries values again that are held back because a service did not bear them: this key's, or all.
  virtual CommandResult retry(std::optional<std::string> key, std::string by) = 0;

  virtual GroupFacts control_groups() const = 0;
  /// What the docker command has written down, read now. nullopt: nothing.
  virtual std::optional<AgentsFacts> agents() const { return std::nullopt; }
  /// What the service uses, as its control group counts it: read now. nullopt: it has none.
  virtual std::optional<GroupUsage> usage(plan::ServiceId service) const = 0;

  /// Calls `changed` (on the loop, soon after) when there are new events or log lines; returns a
  /// number to unsubscribe with. For --follow.
  virtual std::uint64_t subscribe(std::function<void()> changed) = 0;
  virtual void unsubscribe(std::uint64_t subscription) = 0;

  /// Takes secret values out of what is about to be shown, JSON too: a condition of the plan may hold one.
  virtual void redact(std::string& text) const = 0;
};

}  // namespace arizuko::host
