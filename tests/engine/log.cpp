#include "log.hpp"

#include <fmt/format.h>

#include "arizuko/env/foreign_format.hpp"

namespace arizuko::tests {

namespace {

using namespace engine;  // NOLINT: everything here is about its types

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

std::string name_of(const plan::Plan& plan, ServiceId id) {
  return id < plan.services.size() ? plan.services[id].name : fmt::format("#{}", id);
}

std::string verb_name(Command::Verb verb) {
  switch (verb) {
    case Command::Verb::start: return "start";
    case Command::Verb::stop: return "stop";
    case Command::Verb::restart: return "restart";
  }
  return "?";
}

}  // namespace

std::string to_text(const Event& event, const plan::Plan& plan) {
  const auto run = [&](const auto& e) {
    return fmt::format("{}/{}", name_of(plan, e.run.service), e.run.number);
  };
  return std::visit(
      Overloaded{
          [](const Tick&) { return std::string("tick"); },
          [&](const Spawned& e) { return fmt::format("spawned {} pid {}", run(e), e.pid); },
          [&](const SpawnFailed& e) {
            return fmt::format("spawn-failed {}{}: {}", run(e), e.passing ? " (passing)" : "", e.reason);
          },
          [&](const Exited& e) {
            return fmt::format("exited {}: {}{}", run(e), engine::to_text(e.status),
                               e.leftovers.empty() ? "" : ", leaving " + e.leftovers);
          },
          [&](const TreeEmpty& e) { return fmt::format("tree-empty {}", run(e)); },
          [&](const ConditionChanged& e) {
            return fmt::format("condition {} #{} {}", run(e), e.watch, e.holds ? "holds" : "fails");
          },
          [](const EnvironmentChanged& e) {
            std::string text = fmt::format("environment {}:", e.snapshot->generation);
            for (const auto& [key, value] : e.snapshot->values)
              text += fmt::format(" {}={}", key, value.text);
            for (const auto& [key, why] : e.snapshot->unusable) text += fmt::format(" {}!", key);
            if (e.asked) text += " (asked)";
            if (e.again) text += " (again)";
            if (!e.unlike_last_run.empty())
              text += fmt::format(" (unlike the last run: {})", fmt::join(e.unlike_last_run, ", "));
            return text;
          },
          [](const PlanChanged&) { return std::string("plan"); },
          [](const InputRefused& e) { return fmt::format("input-refused {}", e.reason); },
          [](const StopRequested& e) { return fmt::format("stop-requested {}", e.cause); },
          [](const Accept& e) { return fmt::format("accept {}", e.key); },
          [](const StartWaits& e) { return fmt::format("start-waits {}", e.cause); },
          [](const Remark& e) { return fmt::format("remark {}", e.cause); },
          [](const Retry& e) { return fmt::format("retry {}", e.key.value_or("all")); },
          [&](const Command& e) {
            return fmt::format("command {} {}", verb_name(e.verb), name_of(plan, e.service));
          },
      },
      event);
}

std::string to_text(const Action& action, const plan::Plan& plan) {
  const auto run = [&](const auto& a) {
    return fmt::format("{}/{}", name_of(plan, a.run.service), a.run.number);
  };
  return std::visit(
      Overloaded{
          [&](const Spawn& a) {
            return fmt::format("spawn {} generation {}", run(a), a.snapshot->generation);
          },
          [&](const Signal& a) {
            return fmt::format("signal {} {} {}", run(a), signal_name(a.number),
                               a.target == Target::main ? "main" : "leftovers");
          },
          [&](const Watch& a) { return fmt::format("watch {} #{}", run(a), a.watch); },
          [&](const Unwatch& a) { return fmt::format("unwatch {} #{}", run(a), a.watch); },
          [](const ReadSources& a) {
            switch (a.what) {
              case ReadSources::For::operator_: return std::string("read-sources");
              case ReadSources::For::rest: return std::string("read-sources for the rest");
              case ReadSources::For::retry: return std::string("read-sources for a retry");
            }
            return std::string("?");
          },
          [&](const LoginFiles& a) {
            const auto verb = [&] {
              switch (a.what) {
                case LoginFiles::Do::set_aside: return "set-aside";
                case LoginFiles::Do::drop: return "drop";
                case LoginFiles::Do::put_back: return "put-back";
                case LoginFiles::Do::forget: return "forget";
              }
              return "?";
            };
            return fmt::format("login {} {} {}", verb(), name_of(plan, a.service), a.key);
          },
          [](const Remember& a) {
            const std::string* value = a.snapshot->find(a.key);
            return fmt::format("remember {}{}", a.key, value ? "=" + *value : " as not set");
          },
          [&](const TaskDone& a) { return fmt::format("task-done {}", name_of(plan, a.service)); },
          [](const Note& a) {
            const std::string who = a.service.empty() ? "pod" : a.service;
            if (a.from) {
              return fmt::format("{}: {} -> {}: {}", who, engine::to_text(*a.from), engine::to_text(*a.to),
                                 a.cause);
            }
            return fmt::format("{}: [{}] {}", who, engine::to_text(engine::about(a.what)), a.cause);
          },
          [](const Exit& a) {
            return fmt::format("exit {}{}: {}", a.code, a.culprit.empty() ? "" : " by " + a.culprit,
                               a.verdict);
          },
      },
      action);
}

}  // namespace arizuko::tests
