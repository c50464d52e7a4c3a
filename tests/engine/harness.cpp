#include "harness.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "log.hpp"

namespace arizuko::tests {

plan::Condition file_exists(const std::string& path) {
  plan::Condition condition;
  condition.check = plan::FileCheck{path};
  return condition;
}

std::vector<ServiceId> PlanBuilder::ids(Names names) const {
  std::vector<ServiceId> list;
  for (const std::string_view name : names) list.push_back(plan.find(name).value());
  return list;
}

plan::Service& PlanBuilder::service(const std::string& name, Names after) {
  plan::Service each;
  each.name = name;
  each.command = {name};
  each.after = ids(after);
  each.ready = {file_exists("/" + name)};
  each.restart.jitter = 0;
  plan.pod.instance = "test";
  plan.services.push_back(each);
  return plan.services.back();
}

plan::Service& PlanBuilder::task(const std::string& name, Names after) {
  plan::Service& each = service(name, after);
  each.kind = plan::Kind::task;
  each.ready.clear();
  each.restart.when = plan::RestartWhen::never;
  each.restart.verdict = plan::Verdict::end_pod;
  each.essential = true;
  return each;
}

void PlanBuilder::bind(std::string_view name, Names others) {
  plan::Service& each = (*this)[name];
  each.bound_to = ids(others);
  for (const ServiceId other : each.bound_to) {
    if (std::find(each.after.begin(), each.after.end(), other) == each.after.end())
      each.after.push_back(other);
  }
}

void PlanBuilder::after_tried(std::string_view name, Names others) {
  (*this)[name].after_tried = ids(others);
}

plan::Service& PlanBuilder::operator[](std::string_view name) {
  return plan.services[plan.find(name).value()];
}

Bench::Bench(const PlanBuilder& builder) : engine_(builder.plan) {}

ServiceId Bench::id(std::string_view name) const { return engine_.plan()->find(name).value(); }

void Bench::deliver(const Event& event) {
  std::vector<Action> actions;
  engine_.handle(event, now_, actions);
  const auto since_start = now_.time_since_epoch() - std::chrono::seconds(1000);
  log_ += fmt::format("{:.3f} {}\n", std::chrono::duration<double>(since_start).count(),
                      to_text(event, *engine_.plan()));
  for (const Action& action : actions) log_ += "  " + to_text(action, *engine_.plan()) + "\n";
}

void Bench::values(std::initializer_list<std::pair<std::string, std::string>> values) {
  auto snapshot = std::make_shared<env::Snapshot>();
  snapshot->generation = ++generation_;
  for (const auto& [name, text] : values) snapshot->values[name] = {text, "environment"};
  offer({.snapshot = snapshot, .unlike_last_run = {}, .switched = {}});
}

void Bench::offer(EnvironmentChanged event) {
  auto numbered = std::make_shared<env::Snapshot>(*event.snapshot);
  generation_ = std::max(generation_ + (event.snapshot->generation == 0 ? 1 : 0), numbered->generation);
  numbered->generation = generation_;
  event.snapshot = numbered;
  deliver(event);
}

void Bench::tick() {
  if (const auto at = engine_.deadline()) now_ = std::max(now_, *at);
  deliver(Tick{});
}

void Bench::spawned(std::string_view name) { deliver(Spawned{{id(name), run(name)}, ++next_pid_}); }
void Bench::spawn_failed(std::string_view name, Washed reason, bool passing) {
  deliver(SpawnFailed{{id(name), run(name)}, std::move(reason), passing});
}
void Bench::condition(std::string_view name, std::uint32_t watch, bool holds, Washed detail) {
  deliver(ConditionChanged{{id(name), run(name)}, watch, holds, std::move(detail)});
}
void Bench::up(std::string_view name) {
  spawned(name);
  condition(name, 0, true);
}
void Bench::exited(std::string_view name, int code, Washed leftovers) {
  deliver(Exited{{id(name), run(name)}, {code, std::nullopt, false}, std::move(leftovers)});
}
void Bench::killed(std::string_view name, int signal) {
  deliver(Exited{{id(name), run(name)}, {std::nullopt, signal, false}, ""});
}
void Bench::tree_empty(std::string_view name) { deliver(TreeEmpty{{id(name), run(name)}}); }
void Bench::command(Command::Verb verb, std::string_view name) {
  deliver(Command{verb, id(name), "operator (uid 1000)"});
}

std::string Bench::log() { return std::exchange(log_, ""); }

std::string Bench::states() const {
  std::string text;
  for (const ServiceView& each : engine_.view().services) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", each.name, engine::to_text(each.state));
  }
  return text;
}

double Bench::deadline() const {
  const auto at = engine_.deadline();
  return at ? std::chrono::duration<double>(*at - now_).count() : -1;
}

bool same_text(const std::string& actual, const std::string& expected, const char* file) {
  if (actual == expected) return true;
  if (std::getenv("UPDATE_SNAPSHOTS") == nullptr) return false;
  std::ifstream in(file);
  std::stringstream source;
  source << in.rdbuf();
  std::string text = source.str();
  const std::string literal = "R\"(" + expected + ")\"";
  const auto at = text.find(literal);
  if (at == std::string::npos) return false;
  text.replace(at, literal.size(), "R\"(" + actual + ")\"");
  std::ofstream(file) << text;
  return true;
}

}  // namespace arizuko::tests
