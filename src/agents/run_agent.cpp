#include "run_agent.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "agent_job.hpp"
#include "arizuko/base/percent.hpp"
#include "ledger_file.hpp"
#include "names.hpp"
#include "resting.hpp"

namespace arizuko::agents {
namespace {

constexpr auto as_pair = asio::as_tuple(asio::use_awaitable);
constexpr Seconds server_patience{300};  // a server that is away longer has lost our turn
constexpr Seconds streams_after_end{5};  // what is still on its way when the pod has ended
constexpr Seconds stop_limit = stop_grace + Seconds{20};
constexpr Seconds node_lost_limit{60};
constexpr Seconds log_idle{10};
constexpr std::size_t log_limit_bytes = 256 << 10;

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

std::string own_pod_name(const Environment& environment) {
  auto name = environment("POD_NAME").value_or("");
  if (!name.empty()) return name;
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return host.data();
}

}  // namespace

asio::awaitable<Result<OwnPod>> find_own_pod(ApiClient& client, const Environment& environment,
                                             std::string data_dir, Milliseconds budget) {
  const auto name = own_pod_name(environment);
  Call call{http::verb::get, fmt::format("{}/pods/{}", client.core_path(), base::percent_encoded(name)), ""};
  auto pod = co_await client.call(std::move(call), budget);
  if (pod) co_return read_own_pod(*pod, data_dir);
  auto text = pod.error().text;
  if (pod.error().status == 404)
    text += "; set POD_NAME to the name of arizuko's pod (its host name was tried)";
  co_return std::unexpected(Failure{exit_failed, std::move(text)});
}

AgentRun::AgentRun(ApiClient& client, Console& console, Run run, Settings settings)
    : client_(client),
      console_(console),
      run_(std::move(run)),
      settings_(std::move(settings)),
      run_id_(random_id(16)),
      store_(client, settings_.instance),
      attachment_(client, console, [this] { notify(); }),
      news_(client.io()),
      signals_(client.io()) {}

asio::awaitable<Result<int>> AgentRun::life(OwnPod own) {
  auto job = build_job(run_, settings_, own, run_id_);
  if (!job) co_return std::unexpected(job.error());
  name_caller(*job, caller_mark());
  node_ = own.node;
  watch_signals();
  auto made = co_await store_.create(std::move(*job), run_.name, run_id_);
  if (!made) co_return std::unexpected(made.error());
  job_ = std::move(*made);
  created_ = hold_since_ = Clock::now();
  follow_pod();
  co_await attend();
  co_return co_await finish();
}

// -------------------------------------------------------------------------------------------------
// News

/// docker run hands the signals that end a program on to the container: here the Job is deleted, and its pod
/// gets SIGTERM.
void AgentRun::watch_signals() {
  boost::system::error_code error;
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) signals_.add(number, error);
  signals_.async_wait([this](boost::system::error_code failed, int) {
    if (failed) return;
    asked_to_stop_ = true;
    notify();
  });
}

void AgentRun::follow_pod() {
  watcher_ = std::make_unique<Watcher>(
      client_, client_.core_path() + "/pods",
      "labelSelector=" + base::percent_encoded(fmt::format("{}={}", label_run, run_id_)),
      [this](const json::value* pod) { take_pod(pod); });
  asio::co_spawn(client_.io(), watcher_->follow(server_patience),
                 [this](std::exception_ptr error, ApiResult<void> followed) {
                   rethrow(error);
                   if (!followed) lost_server_ = followed.error();
                   notify();
                 });
}

void AgentRun::take_pod(const json::value* pod) {
  if (pod == nullptr) {
    gone_ = !look_.pod.empty();
  } else if (!look_.ended) {  // the first end counts: a deletion that follows adds nothing
    look_ = look_at(*pod);
  }
  look_at_clock();
  notify();
}

void AgentRun::look_at_clock() {
  const auto now = Clock::now();
  if (look_.hold != hold_) {
    hold_ = look_.hold;
    hold_since_ = now;
  }
  const bool placed = !look_.pod.empty() && hold_ != Hold::unscheduled && hold_ != Hold::unschedulable;
  if (placed && !scheduled_) scheduled_ = now;
  if ((look_.ended || gone_) && !ended_) ended_ = now;
  if (!look_.node_lost) {
    node_lost_.reset();
  } else if (!node_lost_) {
    node_lost_ = now;
  }
}

void AgentRun::notify() { news_.cancel(); }

// -------------------------------------------------------------------------------------------------
// The loop

asio::awaitable<void> AgentRun::attend() {
  for (;;) {
    if (asked_to_stop_ && !stopped_) {
      stopped_ = Clock::now();
      co_await remove_job();
      continue;
    }
    if (look_.running && !attached_) attach();
    if (ended_) attachment_.agent_ended();
    if (is_over() || what_is_wrong()) co_return;
    co_await wait_for_news();
  }
}

void AgentRun::attach() {
  attached_ = true;
  asio::co_spawn(client_.io(), attachment_.follow(look_.pod), rethrow);
}

bool AgentRun::is_over() const {
  if (!ended_) return stopped_ && (Clock::now() - *stopped_ > stop_limit || look_.pod.empty());
  return !attached_ || attachment_.done() || Clock::now() - *ended_ > streams_after_end;
}

std::optional<Failure> AgentRun::what_is_wrong() const {
  if (ended_) return std::nullopt;
  if (lost_server_) return Failure{exit_run_failed, lost_server_->text};
  if (stopped_) return std::nullopt;
  if (attachment_.failure()) return attachment_.failure();
  if (node_lost_ && Clock::now() - *node_lost_ > node_lost_limit) {
    return Failure{exit_killed,
                   fmt::format("the agent's node {} was lost for {} s", node_, node_lost_limit.count())};
  }
  return look_.running ? std::nullopt : held_too_long();
}

std::optional<Failure> AgentRun::held_too_long() const {
  const auto since = [](Clock::time_point begin) {
    return std::chrono::duration_cast<Seconds>(Clock::now() - begin);
  };
  if (look_.pod.empty()) {
    if (since(created_) < settings_.policy.schedule_within) return std::nullopt;
    return Failure{exit_run_failed,
                   fmt::format("no pod was made for Job {} within {} s; a quota or an admission rule may "
                               "refuse it: see `kubectl get events --field-selector involvedObject.name={}`",
                               job_.job, settings_.policy.schedule_within.count(), job_.job)};
  }
  const Held held{since(created_), since(scheduled_.value_or(Clock::now())), since(hold_since_)};
  return give_up(look_, held, settings_.policy, run_.image, node_);
}

/// Something may be due then although nothing happened: while the pod is held its bounds, of whole seconds.
std::optional<Clock::time_point> AgentRun::next_look() const {
  if (ended_) return *ended_ + streams_after_end + Milliseconds{1};
  if (stopped_) return *stopped_ + stop_limit + Milliseconds{1};
  if (node_lost_) return *node_lost_ + node_lost_limit + Milliseconds{1};
  if (!look_.running) return Clock::now() + Seconds{1};
  return std::nullopt;
}

asio::awaitable<void> AgentRun::wait_for_news() {
  const auto next = next_look();
  if (!next) rest();
  news_.expires_at(next.value_or(Clock::time_point::max()));
  auto [error] = co_await news_.async_wait(as_pair);
  (void)error;  // news or time: the loop looks at both
}

// -------------------------------------------------------------------------------------------------
// The end

asio::awaitable<Result<int>> AgentRun::finish() {
  const auto wrong = what_is_wrong();
  attachment_.agent_ended();
  watcher_->stop();
  if (look_.ended && !gone_ && !stopped_) co_await fill_from_log();
  if (look_.ended && look_.ended->code != 0 && !stopped_) co_await explain_end();
  co_await remove_job();
  if (wrong) co_return std::unexpected(*wrong);
  if (look_.ended) co_return look_.ended->code;
  if (!stopped_) co_await say(fmt::format("the agent's pod {} was deleted before it ended", look_.pod));
  co_return exit_killed;
}

asio::awaitable<void> AgentRun::say(std::string text) {
  co_await console_.write(Channel::standard_error, fmt::format("docker: {}.\n", text));
}

asio::awaitable<void> AgentRun::remove_job() {
  if (removed_) co_return;
  removed_ = true;
  auto removed = co_await store_.remove(job_, JobStore::Wait::not_at_all);
  if (!removed) co_await say(fmt::format("Job {} could not be deleted: {}", job_.job, removed.error().text));
}

asio::awaitable<void> AgentRun::fill_from_log() {
  Call call{http::verb::get,
            fmt::format("{}/pods/{}/log?container={}&limitBytes={}{}", client_.core_path(), look_.pod,
                        agent_container, log_limit_bytes,
                        attached_ && attachment_.has_gap() ? "&tailLines=2000" : ""),
            ""};
  std::string missing;
  LineBuffer lines(LogFill::most_line_bytes);
  auto& fill = attachment_.fill();
  const auto keep = [&](std::string_view line) {
    if (fill.is_missing(line)) missing.append(line).append("\n");
  };
  OpenStream stream;
  std::size_t total_bytes = 0;
  const auto take = [&](std::string_view bytes) {
    total_bytes += bytes.size();
    lines.feed(bytes, keep);
  };
  auto read = co_await client_.stream(std::move(call), take, log_idle, stream);
  const bool cut = total_bytes >= log_limit_bytes;  // then the last line is not all of one
  if (read && !cut && !lines.rest().empty() && fill.is_missing(lines.rest())) missing += lines.rest();
  if (!read && (!attached_ || attachment_.has_gap())) {
    // What the pod's status has of it is better than nothing: the caller takes the last 200 bytes.
    missing = look_.ended->message;
    co_await say(fmt::format("part of the agent's output is lost: {}", read.error().text));
  }
  co_await console_.write(Channel::standard_error, missing);
}

asio::awaitable<void> AgentRun::explain_end() {
  auto ended = *look_.ended;
  auto job = co_await store_.find(run_.name, Seconds{5});
  if (job && *job && !(*job)->failure.empty() && (*job)->failure == "DeadlineExceeded")
    ended.reason = (*job)->failure;
  const auto text = explain(ended);
  if (!text.empty()) co_await say(text);
}

}  // namespace arizuko::agents
