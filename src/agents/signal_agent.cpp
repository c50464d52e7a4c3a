#include "signal_agent.hpp"

#include <fmt/format.h>

#include "agent_job.hpp"
#include "arizuko/base/percent.hpp"
#include "attach_channels.hpp"
#include "brake.hpp"
#include "names.hpp"
#include "pod_look.hpp"

namespace arizuko::agents {
namespace {

constexpr Milliseconds budget{15'000};
constexpr std::size_t most_said_bytes = 1024;

/// What a program in the container ended with.
struct Outcome {
  bool success = false;
  std::string said;
};

struct Found {
  std::string running;  // the pod whose agent runs; "": there is none
  bool ended = false;
};

/// The pod of the Job.
asio::awaitable<Result<Found>> find_pod(ApiClient& client, std::string run_id) {
  Call call{http::verb::get,
            fmt::format("{}/pods?limit=10&labelSelector={}", client.core_path(),
                        base::percent_encoded(fmt::format("{}={}", label_run, run_id))),
            ""};
  auto pods = co_await client.call(std::move(call), budget);
  if (!pods) co_return std::unexpected(Failure{exit_failed, pods.error().text});
  Found found;
  if (const auto* items = list_at(*pods, {"items"})) {
    for (const json::value& item : *items) {
      const auto look = look_at(item);
      if (look.running) found.running = look.pod;
      found.ended = found.ended || look.ended.has_value();
    }
  }
  co_return found;
}

std::string exec_target(ApiClient& client, std::string_view pod, const std::vector<std::string>& words) {
  auto target = fmt::format("{}/pods/{}/exec?container={}&stdout=true&stderr=true", client.core_path(), pod,
                            agent_container);
  for (const std::string& word : words) target += "&command=" + base::percent_encoded(word);
  return target;
}

asio::awaitable<Result<Outcome>> exec(ApiClient& client, std::string target) {
  auto opened = co_await client.open_channels(std::move(target));
  if (!opened) co_return std::unexpected(Failure{exit_failed, opened.error().text});
  AttachChannels channels;
  Outcome outcome;
  const auto take = [&](std::string_view bytes, bool begins) {
    const auto piece = channels.feed(bytes, begins ? AttachChannels::Position::begins_message
                                                   : AttachChannels::Position::continues_message);
    if (piece && outcome.said.size() < most_said_bytes) outcome.said += piece->bytes;
  };
  const auto nothing = []() -> asio::awaitable<void> { co_return; };
  asio::steady_timer limit(client.io(), budget);
  limit.async_wait([socket = opened->socket](ErrorCode error) {
    if (!error) socket->abort();
  });
  (void)co_await opened->socket->read(take, nothing);  // the status says how it went
  const auto status = channels.status();
  outcome.success = status && status->success;
  if (outcome.said.empty()) outcome.said = status ? status->message : "the connection was cut";
  while (!outcome.said.empty() && outcome.said.back() == '\n') outcome.said.pop_back();
  co_return outcome;
}

/// As kill(1) and node want it: a name or a number.
std::vector<std::string> by_node(const std::string& signal) {
  const bool number = signal.find_first_not_of("0123456789") == std::string::npos;
  return {
      "node", "-e",
      number ? fmt::format("process.kill(1,{})", signal) : fmt::format("process.kill(1,'SIG{}')", signal)};
}

}  // namespace

asio::awaitable<Result<void>> signal_agent(ApiClient& client, AgentJob job, std::string signal) {
  auto pod = co_await find_pod(client, job.run_id);
  if (!pod) co_return std::unexpected(pod.error());
  // Steering: the caller has written into the agent's input, which an agent that is yet to start reads when
  // it does. A failure would make it start a second one beside it.
  const bool is_to_come = pod->running.empty() && !pod->ended && !job.finished && !job.deleting;
  if (is_to_come && is_steering(signal)) co_return Result<void>{};
  if (pod->running.empty()) {
    co_return std::unexpected(Failure{
        exit_failed,
        fmt::format("Error response from daemon: cannot kill container: {}: container {} is not running",
                    job.name, job.uid)});
  }
  std::vector<std::string> words{"kill", "-" + signal, "1"};
  auto outcome = co_await exec(client, exec_target(client, pod->running, words));
  const bool absent = outcome && !outcome->success &&
                      (outcome->said.find("not found") != std::string::npos ||
                       outcome->said.find("no such file") != std::string::npos);
  if (absent) {
    words = by_node(signal);
    outcome = co_await exec(client, exec_target(client, pod->running, words));
  }
  if (!outcome) co_return std::unexpected(outcome.error());
  if (outcome->success) co_return Result<void>{};
  co_return std::unexpected(
      Failure{exit_failed, fmt::format("Error response from daemon: cannot kill container: {}: signal {}: {}",
                                       job.name, signal, outcome->said)});
}

}  // namespace arizuko::agents
