// A plan built in code, events fed by hand, and everything that was done as text.
//
// Expected texts stand in the tests and are compared exactly. After a wanted change run the tests once
// with UPDATE_SNAPSHOTS=1: they rewrite their own sources; read the diff before you keep it.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "arizuko/engine/engine.hpp"
#include "arizuko/engine/why.hpp"

namespace arizuko::tests {

using namespace engine;  // NOLINT: a test about nothing else
using std::chrono::milliseconds;
using Names = std::initializer_list<std::string_view>;

/// Services are added in start order; names become links.
class PlanBuilder {
 public:
  /// A service with one readiness condition (a file named after it), no jitter, defaults else.
  plan::Service& service(const std::string& name, Names after = {});
  plan::Service& task(const std::string& name, Names after = {});
  /// `name` is bound to `others`, and so comes after them.
  void bind(std::string_view name, Names others);
  void after_tried(std::string_view name, Names others);
  plan::Service& operator[](std::string_view name);
  plan::Plan plan;

 private:
  std::vector<ServiceId> ids(Names names) const;
};

plan::Condition file_exists(const std::string& path);

class Bench {
 public:
  explicit Bench(const PlanBuilder& builder);

  void values(std::initializer_list<std::pair<std::string, std::string>> values);
  /// A snapshot of generation 0 gets the next number.
  void offer(EnvironmentChanged event);
  void wait(milliseconds pause) { now_ += pause; }
  /// Goes to the engine's deadline and sends Tick.
  void tick();
  void spawned(std::string_view name);
  void spawn_failed(std::string_view name, Washed reason, bool passing = false);
  void condition(std::string_view name, std::uint32_t watch, bool holds, Washed detail = "");
  /// spawned, and its first condition holds
  void up(std::string_view name);
  void exited(std::string_view name, int code, Washed leftovers = "");
  void killed(std::string_view name, int signal);
  void tree_empty(std::string_view name);
  void command(Command::Verb verb, std::string_view name);
  void stop() { deliver(StopRequested{"SIGTERM"}); }
  void reload(const PlanBuilder& builder) {
    deliver(PlanChanged{std::make_shared<const plan::Plan>(builder.plan)});
  }
  void deliver(const Event& event);

  /// Events and what followed, since the last call.
  std::string log();
  /// "gated ready, teled waiting"
  std::string states() const;
  const ServiceView& view(std::string_view name) const { return engine_.view().services[id(name)]; }
  const View& view() const { return engine_.view(); }
  std::string why(std::string_view name) const { return engine::why(engine_.view(), id(name), now_); }
  std::string why_pod() const { return engine::why_pod(engine_.view(), now_); }
  /// Seconds from now to the deadline; -1: none.
  double deadline() const;
  ServiceId id(std::string_view name) const;
  RunNumber run(std::string_view name) const { return view(name).runs.spawns; }
  Engine& engine() { return engine_; }
  Instant now() const { return now_; }

 private:
  Engine engine_;
  Instant now_ = Instant{} + std::chrono::seconds(1000);
  Pid next_pid_ = 100;
  env::Generation generation_ = 0;
  std::string log_;
};

/// Compares, or rewrites `file` when UPDATE_SNAPSHOTS is set. The text begins and ends with a newline.
bool same_text(const std::string& actual, const std::string& expected, const char* file);

}  // namespace arizuko::tests

#define CHECK_TEXT(actual, expected)                            \
  do {                                                          \
    const std::string text = "\n" + (actual);                   \
    if (!arizuko::tests::same_text(text, expected, __FILE__)) { \
      CHECK_EQ(text, std::string(expected));                    \
    }                                                           \
  } while (false)
