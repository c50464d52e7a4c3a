// What the looks at conditions need of the supervisor: commands with their trees, the values that a run was
// given, who is ready, and what a run says of itself by sd_notify.
#include <algorithm>
#include <csignal>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "arizuko/env/scope.hpp"
#include "launcher.hpp"
#include "supervisor_impl.hpp"

namespace arizuko::host {

namespace {

// Commands of one run that are gone while something they started does not die of SIGKILL: it sleeps in the
// kernel, as on a dead NFS server. Further ones would only join it.
constexpr std::ptrdiff_t most_trees_that_stay = 4;

}  // namespace

WatcherHooks Supervisor::Impl::watcher_hooks() {
  return {
      .report =
          [this](WatchKey key, bool holds, std::string detail) {
            // May come from the middle of a log pipe: the engine hears it after that.
            inbox.push_back(engine::ConditionChanged{key.run, key.watch, holds, std::move(detail)});
            pump_soon();
          },
      .members = [this](RunKey run) { return table.members(run); },
      .start_exec = [this](RunKey run, const plan::ExecCheck& check) { return start_exec(run, check); },
      .kill_exec = [this](pid_t pid) { kill_exec(pid); },
      .service_of = [this](pid_t pid) -> std::string {
        const std::optional<RunKey> run = table.owner_of(pid);
        return run ? service(run->service).name : "";
      },
      .ready_run = [this](std::string_view name) -> std::optional<RunKey> {
        const std::optional<plan::ServiceId> id = engine.plan()->find(name);
        if (!id) return std::nullopt;
        const engine::ServiceView& view = engine.view().services[*id];
        if (view.state != engine::State::ready) return std::nullopt;
        return RunKey{{*id, view.spawns}};
      },
      .environment = [this](RunKey run) -> env::Environment {
        const auto given = values.find(run);
        if (given == values.end()) return {};
        return env::compose(*engine.plan(), service(run.service), *given->second);
      },
      .warn =
          [this](RunKey run, const std::string& text) {
            log(Level::warn, fmt::format("{}: {}", service(run.service).name, text));
          },
  };
}

// ---------------------------------------------------------------------------------------------
// The command of an exec condition, and everything that it starts

std::expected<pid_t, NotStarted> Supervisor::Impl::start_exec(RunKey run, const plan::ExecCheck& check) {
  end_trees_of_checks();
  const plan::Service& what = service(run.service);
  const auto stay = std::ranges::count_if(ended_checks, [run](RunKey each) { return each.run() == run; });
  if (stay >= most_trees_that_stay) {
    return std::unexpected(NotStarted{
        fmt::format("what {} earlier looks started does not end, not of SIGKILL either", stay), true});
  }
  const auto snapshot = values.find(run);
  if (snapshot == values.end()) return std::unexpected(NotStarted{"its run is over", true});
  const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (null < 0) return std::unexpected(NotStarted{"/dev/null cannot be opened", true});
  const auto group = group_of(what);
  const RunKey key{run, ++last_check};
  const std::string mark = run_mark(what.name, key.number, instance, key.check);
  const auto pid = spawn_child(what, check_spec(*engine.plan(), what, check, *snapshot->second,
                                                {mark, "", null, null, group ? group->descriptor() : -1}));
  ::close(null);
  if (!pid) return std::unexpected(NotStarted{to_text(pid.error()), pid.error().passing()});
  table.add(key, *pid, mark);
  return *pid;
}

void Supervisor::Impl::kill_exec(pid_t pid) {
  const std::optional<RunKey> check = table.owner_of(pid);
  if (!check || !check->is_check()) return;
  table.signal_main(*check, SIGKILL);
  table.signal_leftovers(*check, SIGKILL);  // the rest of it once the command is reaped
}

void Supervisor::Impl::check_ended(RunKey check, pid_t pid, int wait_status) {
  ended_checks.insert(check);
  watcher.exec_ended(pid, wait_status);
}

// A look is over when its command is: whatever that left behind, in its session or out of it, is killed, also
// when all went well.
void Supervisor::Impl::end_trees_of_checks() {
  for (auto each = ended_checks.begin(); each != ended_checks.end();) {
    if (!table.leftovers(*each).empty()) {
      table.signal_leftovers(*each, SIGKILL);
      ++each;
      continue;
    }
    table.forget(*each);
    each = ended_checks.erase(each);
  }
}

// ---------------------------------------------------------------------------------------------
// sd_notify

// Whose it is follows from the address, which no other run was given: the sender may be gone by now. But the
// names of abstract sockets can be read by everybody, so who is known to be somebody else is not believed.
void Supervisor::Impl::take_notification(RunKey run, const Notification& told) {
  const auto found = notify.find(run);
  if (found == notify.end()) return;
  const plan::Service& what = service(run.service);
  const auto say = [&](const std::string& text) {
    if (!std::exchange(found->second.said, true)) log(Level::warn, fmt::format("{}: {}", what.name, text));
  };
  const std::optional<RunKey> owner = told.sender > 0 ? table.owner_of(told.sender) : std::nullopt;
  if (owner && owner->run() != run) {
    return say(fmt::format("a notification came to its address from {} (pid {}) and was not taken",
                           service(owner->service).name, told.sender));
  }
  if (!owner && told.uid != ::geteuid() && told.uid != 0 && told.uid != what.uid.value_or(::geteuid())) {
    return say(fmt::format(
        "a notification came to its address from pid {} of user {}, none of its own, and was not taken",
        told.sender, told.uid));
  }
  if (told.left_out > 0) {
    say(fmt::format(
        "{} bytes at the end of a notification were not read: longer than {} it is cut; send READY=1 "
        "first, or by itself",
        told.left_out, longest_notification_bytes));
  }
  if (told.ready) watcher.notified(run);
}

}  // namespace arizuko::host
