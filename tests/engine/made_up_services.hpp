// Services that are made up, for a rotation without an engine: a test says how each one stands, and reads
// what they were told to do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "../../src/engine/rotated_services.hpp"
#include "harness.hpp"

namespace arizuko::tests {

class MadeUpServices final : public RotatedServices {
 public:
  /// All of them run with `values`, are ready, and see every change of values.
  MadeUpServices(const PlanBuilder& builder, const env::SnapshotPtr& values)
      : plan_(builder.plan), dependencies_(plan_), each_(plan_.services.size()) {
    for (ServiceId id = 0; id < each_.size(); ++id) {
      is(id, State::ready);
      each_[id].values = values;
    }
  }

  ServiceId id(std::string_view name) const { return plan_.find(std::string(name)).value(); }
  void is(ServiceId id, State state) {
    each_[id].standing = {.state = state, .serves = state == State::ready};
  }
  void is(std::string_view name, State state) { is(id(name), state); }
  void is_failing(std::string_view name) {
    each_[id(name)].standing = {.state = State::stopping, .failing = true};
  }
  void is_no_part(std::string_view name) { each_[id(name)].standing.part = false; }
  void is_switched_off(std::string_view name) { each_[id(name)].standing = {.switched_off = true}; }
  void is_indifferent(std::string_view name) { each_[id(name)].indifferent = true; }
  /// A new run of it is ready.
  void came_back(std::string_view name, const env::SnapshotPtr& values) {
    is(name, State::ready);
    each_[id(name)].values = values;
  }
  /// It was started with these, and is not ready yet.
  void starts(std::string_view name, const env::SnapshotPtr& values) {
    is(name, State::starting);
    each_[id(name)].values = values;
  }
  void wait(Nanoseconds time) { now_ += time; }

  /// What they were told since the last call: "restart gated, follow teled".
  std::string orders() { return std::exchange(orders_, ""); }
  /// What was noted since the last call: codes.
  std::string notes() { return std::exchange(notes_, ""); }

  const plan::Plan& plan() const override { return plan_; }
  const Dependencies& dependencies() const override { return dependencies_; }
  Instant now() const override { return now_; }
  Standing standing(ServiceId id) const override { return each_[id].standing; }
  bool would_see_others(ServiceId id, const env::Snapshot& values) const override {
    return !each_[id].indifferent && each_[id].values && !each_[id].values->same_content(values);
  }
  bool runs_with(ServiceId id, const env::SnapshotPtr& values) const override {
    return each_[id].values == values;
  }
  std::vector<ServiceId> up_and_bound(ServiceId id) const override {
    std::vector<ServiceId> bound;
    for (const ServiceId other : dependencies_.bound(id)) {
      if (is_up(each_[other].standing.state)) bound.push_back(other);
    }
    return bound;
  }
  Cause last_failure(ServiceId) const override {
    return {.why = Why::ended, .status = ExitStatus{.code = 1, .signal = {}}};
  }
  Cause told(ServiceId id) const override { return last_failure(id); }
  void values_changed() override {}
  void follow(ServiceId id, const Cause&) override { order("follow", id); }
  void restart(ServiceId id, const Cause&) override {
    order("restart", id);
    is(id, State::stopping);
    each_[id].standing.serves = true;
    for (const ServiceId other : up_and_bound(id)) is(other, State::stopping);
  }
  void leave(ServiceId id) override { order("leave", id); }
  void start_again(ServiceId id) override { order("start-again", id); }
  void explain_start(ServiceId, const Cause&) override {}
  void emit(Action) override {}
  void note(Note note) override { list(notes_, std::string(engine::to_text(note.what))); }

 private:
  struct One {
    Standing standing;
    env::SnapshotPtr values;
    bool indifferent = false;  // sees nothing of what changes
  };
  static void list(std::string& all, const std::string& one) { all += (all.empty() ? "" : ", ") + one; }
  void order(const std::string& verb, ServiceId id) { list(orders_, verb + " " + plan_.services[id].name); }

  plan::Plan plan_;
  Dependencies dependencies_;
  std::vector<One> each_;
  Instant now_{std::chrono::hours(1)};
  std::string orders_;
  std::string notes_;
};

}  // namespace arizuko::tests
