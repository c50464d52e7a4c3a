#include "checks.hpp"

#include <algorithm>
#include <csignal>

#include <fcntl.h>

#include <fmt/format.h>

#include "arizuko/posix/descriptor.hpp"
#include "launcher.hpp"

namespace arizuko::host {

namespace {

// Commands of one run that are gone while something they started does not die of SIGKILL: it sleeps in the
// kernel, as on a dead NFS server. Further ones would only join it.
constexpr std::ptrdiff_t most_trees_that_stay = 4;

}  // namespace

std::expected<pid_t, NotStarted> Checks::start(RunKey run, const plan::ExecCheck& check) {
  end_trees();
  const plan::Service& what = context_.service(run.service);
  const auto stay = std::ranges::count_if(ended_, [run](RunKey each) { return each.run() == run; });
  if (stay >= most_trees_that_stay) {
    return std::unexpected(NotStarted{
        fmt::format("what {} earlier looks started does not end, not of SIGKILL either", stay), true});
  }
  const Child* child = children_.find(run);
  if (child == nullptr || !child->values) return std::unexpected(NotStarted{"its run is over", true});
  const posix::Descriptor null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (!null.is_open()) return std::unexpected(NotStarted{"/dev/null cannot be opened", true});
  const auto group = children_.starter().group_of(what);
  const RunKey key{run, ++last_};
  const std::string mark = run_mark(what.name, key.number, children_.instance(), key.check);
  const RunFacts facts{mark, "", null.get(), null.get(), group ? group->descriptor() : -1};
  const auto pid = children_.starter().start(
      what, check_spec(*context_.engine.plan(), what, check, *child->values, facts));
  if (!pid) return std::unexpected(NotStarted{to_text(pid.error()), pid.error().passing()});
  children_.table().add(key, *pid, mark);
  return *pid;
}

void Checks::kill(pid_t command) {
  ProcessTable& table = children_.table();
  const std::optional<RunKey> check = table.owner_of(command);
  if (!check || !check->is_check()) return;
  table.signal_main(*check, SIGKILL);
  table.signal_leftovers(*check, SIGKILL);  // the rest of it once the command is reaped
}

void Checks::end_trees() {
  ProcessTable& table = children_.table();
  std::erase_if(ended_, [&table](RunKey each) {
    if (!table.leftovers(each).empty()) {
      table.signal_leftovers(each, SIGKILL);
      return false;
    }
    table.forget(each);
    return true;
  });
}

}  // namespace arizuko::host
