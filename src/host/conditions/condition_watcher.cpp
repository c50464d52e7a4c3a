#include "condition_watcher.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <variant>

#include <fmt/format.h>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/wait.h>

#include "arizuko/plan/show.hpp"
#include "file_identity.hpp"
#include "host/process/whose_listener.hpp"
#include "http_request.hpp"
#include "look.hpp"

namespace arizuko::host {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

/// A file of an earlier run says nothing of this one.
LookResult look_at_file(const std::string& path, const std::optional<FileIdentity>& before) {
  if (before && file_identity(path) == before)
    return {Verdict::no, path + " is of an earlier run: not written since this one began"};
  return look_at_path(path);
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return fmt::format("killed by signal {}", WTERMSIG(status));
  return fmt::format("exited with code {}", WEXITSTATUS(status));
}

}  // namespace

struct ConditionWatcher::Impl : std::enable_shared_from_this<Impl> {
  /// Which of the watches that ever had a key; what is under way names its watch by this alone.
  struct Ticket {
    WatchKey key;
    std::uint64_t generation = 0;
  };

  struct Watch {
    Watch(asio::io_context& io, std::uint64_t number, const plan::Condition& wanted, Purpose why)
        : generation(number), condition(wanted), judgement(why, wanted.failures, Clock::now()), timer(io) {}

    std::uint64_t generation;
    plan::Condition condition;
    Judgement judgement;
    asio::steady_timer timer;  // to the next look; armed while none is under way
    Clock::time_point due{};
    bool looking = false;
    std::shared_ptr<RunningLook> look;  // http and tcp
    pid_t command = 0;                  // exec
    bool command_timed_out = false;

    std::optional<HeldSocket> listener;  // the run's own, as last found
    std::optional<FileIdentity> before;  // the file as an earlier run left it
  };

  Impl(asio::io_context& context, WatcherHooks given) : io(context), hooks(std::move(given)) {}

  // --- finding ---------------------------------------------------------------------------------

  Watch* find(const Ticket& ticket) {
    const auto found = watches.find(ticket.key);
    return found == watches.end() || found->second.generation != ticket.generation ? nullptr : &found->second;
  }

  Ticket ticket_of(WatchKey key, const Watch& watch) const { return {key, watch.generation}; }

  /// Calls `use(key, watch)` for each watch of the run. `use` must not add or remove watches.
  template <typename Use>
  void each_of(RunKey run, Use use) {
    for (auto at = watches.lower_bound({run, 0}); at != watches.end() && at->first.run == run; ++at) {
      use(at->first, at->second);
    }
  }

  // --- the rhythm ------------------------------------------------------------------------------

  void arm(WatchKey key, Watch& watch, Clock::time_point due) {
    watch.due = due;
    watch.timer.expires_at(due);
    watch.timer.async_wait([weak = weak_from_this(), ticket = ticket_of(key, watch)](auto error) {
      const auto self = weak.lock();
      if (!self || error) return;
      if (Watch* found = self->find(ticket); found && !found->looking && Clock::now() >= found->due) {
        self->look(ticket, *found);
      }
    });
  }

  /// A look is over.
  void finish(const Ticket& ticket, LookResult result) {
    Watch* watch = find(ticket);
    if (watch == nullptr) return;
    watch->looking = false;
    watch->look.reset();
    judge(ticket, *watch, std::move(result));
    const auto now = Clock::now();
    arm(ticket.key, *watch, now + watch->judgement.pause(watch->condition.every, now));
  }

  void judge(const Ticket& ticket, Watch& watch, LookResult result) {
    Judgement::News news = watch.judgement.take(std::move(result), Clock::now());
    switch (news.kind) {
      case Judgement::News::Kind::none: return;
      case Judgement::News::Kind::report:
        return report(ticket, watch.judgement.holds(), std::move(news.detail));
      case Judgement::News::Kind::doubt: break;
    }
    if (!hooks.warn) return;
    hooks.warn(ticket.key.run, fmt::format("{}: {}; nothing follows from that, it is looked again every {}",
                                           plan::to_text(watch.condition), news.detail,
                                           plan::to_text(watch.condition.every)));
  }

  /// Always by way of the loop: whoever called us is not called back while it is busy.
  void report(const Ticket& ticket, bool holds, std::string detail) {
    asio::post(io, [weak = weak_from_this(), ticket, holds, detail = std::move(detail)]() mutable {
      const auto self = weak.lock();
      if (self && self->find(ticket)) self->hooks.report(ticket.key, holds, env::Foreign(std::move(detail)));
    });
  }

  // --- the looks -------------------------------------------------------------------------------

  void look(const Ticket& ticket, Watch& watch) {
    watch.looking = true;
    std::visit(
        Overloaded{
            [&](const plan::HttpCheck& check) { look_by_http(ticket, watch, check); },
            [&](const plan::TcpCheck& check) {
              connect(ticket, watch, {check.address, check.port, check.listener, ticket.key.run}, {});
            },
            [&](const plan::SocketCheck& check) { look_at_socket(ticket, check); },
            [&](const plan::ExecCheck& check) { start_command(ticket, check); },
            [&](const plan::FileCheck& check) { finish(ticket, look_at_file(check.path, watch.before)); },
            // These two come by themselves: there is only the first report to make.
            [&](const plan::LogCheck& check) {
              if (!watch.judgement.holds())
                judge(ticket, watch, {Verdict::no, fmt::format("no line with \"{}\" yet", check.text)});
            },
            [&](const plan::NotifyCheck&) {
              if (!watch.judgement.holds()) judge(ticket, watch, {Verdict::no, "no READY=1 yet"});
            },
        },
        watch.condition.check);
  }

  void look_by_http(const Ticket& ticket, Watch& watch, const plan::HttpCheck& check) {
    Target target{check.address, check.port, check.listener, ticket.key.run};
    if (!check.of.empty()) {
      const std::optional<RunKey> asked = hooks.ready_run ? hooks.ready_run(check.of) : std::nullopt;
      if (!asked) return finish(ticket, {Verdict::cannot_tell, fmt::format("{} is not ready", check.of)});
      target.listens = *asked;
      target.asked = Asked::another;
    }
    const bool reads = has_holes(check) && hooks.environment;
    auto question = fill_in(check, reads ? hooks.environment(ticket.key.run) : env::Environment{});
    if (!question) return finish(ticket, {Verdict::cannot_tell, std::move(question.error())});
    const bool bare = check.method == plan::Method::head;
    connect(ticket, watch, target,
            TcpLook::Http{std::move(question->request), std::move(question->contains),
                          plan::to_text(check.contains), check.status,
                          bare ? HttpAnswer::Body::never_follows : HttpAnswer::Body::may_follow});
  }

  /// Where a connection goes, and whose socket should be there.
  struct Target {
    std::string address;
    std::uint16_t port = 0;
    plan::Listener listener = plan::Listener::own;
    RunKey listens;
    Asked asked = Asked::itself;
  };

  void connect(const Ticket& ticket, Watch& watch, const Target& target, std::optional<TcpLook::Http> http) {
    TcpLook wanted{target.address, target.port,     watch.condition.timeout,
                   target.asked,   std::move(http), nullptr};
    if (target.listener == plan::Listener::own) {
      wanted.refuse = [weak = weak_from_this(), ticket, target]() -> std::optional<std::string> {
        const auto self = weak.lock();
        if (!self) return std::nullopt;
        return self->refuse_foreign(ticket, target.listens, fmt::format(":{}", target.port),
                                    [&] { return find_tcp_listeners(target.address, target.port); });
      };
    }
    watch.look = start_look(io, std::move(wanted), [weak = weak_from_this(), ticket](LookResult result) {
      if (const auto self = weak.lock()) self->finish(ticket, std::move(result));
    });
  }

  void look_at_socket(const Ticket& ticket, const plan::SocketCheck& check) {
    const std::string path = check.path;
    LookResult result = look_at_unix_socket(path);
    if (result.verdict == Verdict::yes && check.listener == plan::Listener::own) {
      if (auto refusal =
              refuse_foreign(ticket, ticket.key.run, path, [&] { return find_unix_listeners(path); })) {
        result = {Verdict::no, std::move(*refusal)};
      }
    }
    finish(ticket, std::move(result));
  }

  /// Why the listener that has just accepted is not of the run `listens` (T1, T7); nothing when it is, or
  /// when that cannot be told: then what it answers counts, and it is said once.
  template <typename Listeners>
  std::optional<std::string> refuse_foreign(const Ticket& ticket, RunKey listens, const std::string& where,
                                            Listeners listeners) {
    if (Watch* watch = find(ticket); !watch || (watch->listener && still_held(*watch->listener)))
      return std::nullopt;
    const std::vector<pid_t> members = hooks.members(listens);
    Watch* watch = find(ticket);  // the hook may have done anything
    if (watch == nullptr) return std::nullopt;
    Whose whose = whose_listener(members, listeners(), [this](const Holder& each) { return name_of(each); });
    watch->listener = whose.held;
    switch (whose.is) {
      case Whose::Is::own: return std::nullopt;
      case Whose::Is::foreign: return fmt::format("{} {}", where, whose.detail);
      case Whose::Is::cannot_tell: break;
    }
    if (hooks.warn && said_unseen.insert(ticket.key.run.service).second) {
      hooks.warn(ticket.key.run,
                 fmt::format("whose socket answers at {} cannot be told, so the answer counts as if "
                             "it were the right one's (T1, T7): {}",
                             where, whose.detail));
    }
    return std::nullopt;
  }

  /// "timed (pid 7)": the service, where it is one of ours, for many programs may share one name.
  std::string name_of(const Holder& holder) const {
    const std::string service = hooks.service_of ? hooks.service_of(holder.pid) : "";
    return fmt::format("{} (pid {})", service.empty() ? holder.name : service, holder.pid);
  }

  void start_command(const Ticket& ticket, const plan::ExecCheck& check) {
    const plan::ExecCheck copy = check;
    const auto started = hooks.start_exec(ticket.key.run, copy);
    Watch* watch = find(ticket);
    if (!started) {
      const NotStarted& trouble = started.error();
      finish(ticket, {trouble.passing ? Verdict::cannot_tell : Verdict::no, trouble.why});
      return;
    }
    const pid_t pid = *started;
    commands[pid] = ticket;
    if (watch == nullptr) {
      hooks.kill_exec(pid);
      return;
    }
    watch->command = pid;
    watch->command_timed_out = false;
    watch->timer.expires_after(watch->condition.timeout);
    watch->timer.async_wait([weak = weak_from_this(), ticket, pid](auto error) {
      const auto self = weak.lock();
      if (!self || error) return;
      Watch* found = self->find(ticket);
      if (found == nullptr || found->command != pid) return;
      found->command_timed_out = true;  // its end is awaited: at most one at a time
      self->hooks.kill_exec(pid);
    });
  }

  bool exec_ended(pid_t pid, int status) {
    const auto command = commands.find(pid);
    if (command == commands.end()) return false;
    const Ticket ticket = command->second;
    commands.erase(command);
    Watch* watch = find(ticket);
    if (watch == nullptr || watch->command != pid) return true;
    watch->command = 0;
    if (watch->command_timed_out) {
      finish(ticket, {Verdict::no,
                      fmt::format("killed after {} ms without an end", watch->condition.timeout.count())});
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      finish(ticket, {Verdict::yes, {}});
    } else {
      finish(ticket, {Verdict::no, how_it_ended(status)});
    }
    return true;
  }

  // --- coming and going ------------------------------------------------------------------------

  void watch(WatchKey key, const plan::Condition& condition, Purpose purpose,
             const std::optional<FileIdentity>& before) {
    unwatch(key);
    const auto [at, added] = watches.try_emplace(key, io, ++last_generation, condition, purpose);
    at->second.before = before;
    if (std::holds_alternative<plan::LogCheck>(condition.check)) ++awaited_logs[key.run];
    arm(key, at->second, Clock::now());
  }

  void unwatch(WatchKey key) {
    const auto found = watches.find(key);
    if (found == watches.end()) return;
    Watch& watch = found->second;
    if (std::holds_alternative<plan::LogCheck>(watch.condition.check) && !watch.judgement.holds())
      log_is_seen(key.run);
    if (watch.look) watch.look->cancel();
    const pid_t command = watch.command;
    watches.erase(found);  // its timer goes with it
    if (command > 0) hooks.kill_exec(command);
  }

  void log_is_seen(RunKey run) {
    const auto found = awaited_logs.find(run);
    if (found != awaited_logs.end() && --found->second == 0) awaited_logs.erase(found);
  }

  void log_line(RunKey run, std::string_view text) {
    if (!awaited_logs.contains(run)) return;
    each_of(run, [&](WatchKey key, Watch& watch) {
      const auto* check = std::get_if<plan::LogCheck>(&watch.condition.check);
      if (check == nullptr || watch.judgement.holds() || !text.contains(check->text)) return;
      judge(ticket_of(key, watch), watch, {Verdict::yes, {}});
      watch.timer.cancel();
      log_is_seen(run);
    });
  }

  void notified(RunKey run) {
    each_of(run, [&](WatchKey key, Watch& watch) {
      if (!std::holds_alternative<plan::NotifyCheck>(watch.condition.check) || watch.judgement.holds())
        return;
      judge(ticket_of(key, watch), watch, {Verdict::yes, {}});
      watch.timer.cancel();
    });
  }

  void close() {
    hooks = {[](WatchKey, bool, env::Foreign) {}, [](RunKey) { return std::vector<pid_t>{}; },
             [](RunKey, const plan::ExecCheck&) { return std::unexpected(NotStarted{"it ends", true}); },
             [](pid_t) {}};
    for (auto& [key, watch] : watches) {
      if (watch.look) watch.look->cancel();
    }
    watches.clear();
  }

  asio::io_context& io;
  WatcherHooks hooks;
  std::map<WatchKey, Watch> watches;
  std::map<RunKey, int> awaited_logs;          // log conditions that do not hold yet
  std::unordered_map<pid_t, Ticket> commands;  // of exec conditions, also of those given up
  std::set<std::uint32_t> said_unseen;         // services whose listener could not be told
  std::uint64_t last_generation = 0;
};

ConditionWatcher::ConditionWatcher(asio::io_context& io, WatcherHooks hooks)
    : impl_(std::make_shared<Impl>(io, std::move(hooks))) {}

ConditionWatcher::~ConditionWatcher() { impl_->close(); }

void ConditionWatcher::watch(WatchKey key, const plan::Condition& condition, Purpose purpose,
                             const std::optional<FileIdentity>& before) {
  impl_->watch(key, condition, purpose, before);
}

void ConditionWatcher::unwatch(WatchKey key) { impl_->unwatch(key); }

void ConditionWatcher::unwatch_run(RunKey run) {
  for (;;) {  // looked up anew each time: kill_exec may call us
    const auto found = impl_->watches.lower_bound({run, 0});
    if (found == impl_->watches.end() || found->first.run != run) return;
    impl_->unwatch(WatchKey{found->first});
  }
}

void ConditionWatcher::log_line(RunKey run, std::string_view text) { impl_->log_line(run, text); }

bool ConditionWatcher::wants_log(RunKey run) const {
  return !impl_->awaited_logs.empty() && impl_->awaited_logs.contains(run);
}

void ConditionWatcher::notified(RunKey run) { impl_->notified(run); }

bool ConditionWatcher::exec_ended(pid_t pid, int wait_status) { return impl_->exec_ended(pid, wait_status); }

}  // namespace arizuko::host
