#include "watches.hpp"

#include <utility>

#include <fmt/format.h>

#include "arizuko/env/scope.hpp"

namespace arizuko::host {

namespace {

Purpose purpose_of(const engine::WatchNumbers& numbers, std::uint32_t watch) {
  if (watch < numbers.live) return Purpose::readiness;
  return watch < numbers.creates ? Purpose::liveness : Purpose::whether_done;
}

std::optional<FileIdentity> file_before(const Child* child, std::uint32_t watch) {
  if (child == nullptr) return std::nullopt;
  const auto file = child->files_before.find(watch);
  return file == child->files_before.end() ? std::nullopt : std::optional(file->second);
}

}  // namespace

Watches::Watches(const Context& context, Children& children)
    : context_(context), children_(children), checks_(context, children), watcher_(context.io, hooks()) {}

WatcherHooks Watches::hooks() {
  return {
      .report =
          [this](WatchKey key, bool holds, env::Foreign detail) {
            // May come from the middle of a log pipe: the engine hears it after that.
            context_.inbox.push_soon(
                engine::ConditionChanged{key.run, key.watch, holds, context_.washed(std::move(detail))});
          },
      .members = [this](RunKey run) { return children_.table().members(run); },
      .start_exec = [this](RunKey run, const plan::ExecCheck& check) { return checks_.start(run, check); },
      .kill_exec = [this](pid_t command) { checks_.kill(command); },
      .service_of = [this](pid_t pid) -> std::string {
        const std::optional<RunKey> run = children_.table().owner_of(pid);
        return run ? context_.service(run->service).name : "";
      },
      .ready_run = [this](std::string_view name) { return ready_run(name); },
      .environment = [this](RunKey run) { return environment_of(run); },
      .warn =
          [this](RunKey run, const std::string& text) {
            context_.reporter.log(Level::warn,
                                  fmt::format("{}: {}", context_.service(run.service).name, text));
          },
  };
}

void Watches::watch(const engine::Watch& action) {
  const plan::Service& what = context_.service(action.run.service);
  const engine::WatchNumbers numbers = engine::watch_numbers(what);
  const bool whether_done = what.creates && action.watch == numbers.creates;
  if (whether_done && context_.marks.was_cut_short(what.name)) {
    context_.reporter.log(Level::warn,
                          fmt::format("{}: an earlier try was cut short, it runs again although {} exists",
                                      what.name, *what.creates));
    return context_.inbox.put(
        engine::ConditionChanged{action.run, action.watch, false, "an earlier try was cut short"});
  }
  watcher_.watch({{action.run}, action.watch}, engine::watched_condition(what, action.watch),
                 purpose_of(numbers, action.watch), file_before(children_.find(action.run), action.watch));
}

void Watches::unwatch(const engine::Unwatch& action) { watcher_.unwatch({{action.run}, action.watch}); }

void Watches::check_ended(RunKey check, pid_t pid, int wait_status) {
  checks_.ended(check);
  watcher_.exec_ended(pid, wait_status);
}

std::optional<RunKey> Watches::ready_run(std::string_view service) const {
  const std::optional<plan::ServiceId> id = context_.engine.plan()->find(service);
  if (!id) return std::nullopt;
  const engine::ServiceView& view = context_.engine.view().services[*id];
  if (view.state != engine::State::ready) return std::nullopt;
  return RunKey{{*id, view.runs.spawns}};
}

env::Environment Watches::environment_of(RunKey run) const {
  const Child* child = children_.find(run);
  if (child == nullptr || !child->values) return {};
  return env::compose(*context_.engine.plan(), context_.service(run.service), *child->values);
}

}  // namespace arizuko::host
