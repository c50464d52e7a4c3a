#include "kubernetes_backend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/json/serialize.hpp>
#include <set>

#include "agent_job.hpp"
#include "console.hpp"
#include "ledger_file.hpp"
#include "names.hpp"
#include "run_agent.hpp"
#include "signal_agent.hpp"

namespace arizuko::agents {
namespace {

constexpr Milliseconds info_budget{8'000};  // gated and runed kill `docker info` after 10 s
constexpr Milliseconds budget{30'000};
constexpr Milliseconds run_budget{60'000};

Failure no_such(std::string_view name) {
  return {exit_failed, fmt::format("Error response from daemon: No such container: {}", name)};
}

/// docker takes `x` for `x:latest`.
std::string with_tag(std::string_view image) {
  const auto slash = image.rfind('/');
  const bool tagged = image.find(':', slash == std::string_view::npos ? 0 : slash) != std::string_view::npos;
  return tagged || image.empty() ? std::string{image} : fmt::format("{}:latest", image);
}

class Commands {
 public:
  Commands(ApiClient& client, Console& console, const Environment& environment, Settings settings)
      : client_(client),
        console_(console),
        environment_(environment),
        settings_(std::move(settings)),
        store_(client, settings_.instance) {}

  asio::awaitable<Result<int>> carry_out(const Command& command) {
    if (std::holds_alternative<Info>(command)) return info();
    if (const auto* ps = std::get_if<Ps>(&command)) return list(*ps);
    if (const auto* run = std::get_if<Run>(&command)) return this->run(*run);
    if (const auto* stop = std::get_if<Stop>(&command)) return end_each(stop->names, Missing::is_error);
    if (const auto* remove = std::get_if<Remove>(&command)) return end_each(remove->names, Missing::is_fine);
    if (const auto* kill = std::get_if<Kill>(&command)) return this->kill(*kill);
    return no_network(std::get<Network>(command));
  }

 private:
  enum class Missing { is_error, is_fine };

  asio::awaitable<void> print(std::string text) { co_await console_.write(Channel::standard_output, text); }
  asio::awaitable<void> complain(const Failure& failure) {
    co_await console_.write(Channel::standard_error, failure.text + "\n");
  }

  /// What is left of the caller's patience.
  Milliseconds info_left() const {
    const auto spent = std::chrono::duration_cast<Milliseconds>(Clock::now() - begun_);
    return std::max(info_budget - spent, Milliseconds{1});
  }

  asio::awaitable<Result<int>> info() {
    auto own = co_await find_own_pod(client_, environment_, settings_.data_dir, info_left());
    if (!own) co_return std::unexpected(own.error());
    if (own->mounts.empty()) {
      co_return std::unexpected(
          Failure{exit_failed,
                  fmt::format("pod {} mounts no PersistentVolumeClaim at {} (DATA_DIR): its agents could "
                              "not share it; mount one there",
                              own->name, settings_.data_dir)});
    }
    auto refused = co_await missing_permissions();
    if (!refused) co_return std::unexpected(refused.error());
    auto jobs = co_await store_.list(info_left());
    if (!jobs) co_return std::unexpected(jobs.error());
    const auto running = std::ranges::count(*jobs, false, &AgentJob::finished);
    co_await print(
        fmt::format("Server:\n Containers: {}\n  Running: {}\n Backend: kubernetes\n API Server: {}:{}\n"
                    " Namespace: {}\n Instance: {}\n Node: {}\n",
                    jobs->size(), running, client_.cluster().host, client_.cluster().port,
                    client_.cluster().name_space, settings_.instance, own->node));
    co_return 0;
  }

  /// What the Role must allow: asked for in advance, so that the first turn is not the one to find out.
  asio::awaitable<Result<void>> missing_permissions() {
    struct Need {
      std::string_view verb, group, resource, subresource;
    };
    constexpr auto needs = std::to_array<Need>({{"create", "batch", "jobs", ""},
                                                {"delete", "batch", "jobs", ""},
                                                {"watch", "batch", "jobs", ""},
                                                {"watch", "", "pods", ""},
                                                {"get", "", "pods", "log"},
                                                {"get", "", "pods", "attach"},
                                                {"create", "", "pods", "attach"},
                                                {"get", "", "pods", "exec"},
                                                {"create", "", "pods", "exec"}});
    std::string missing;
    for (const Need& need : needs) {
      json::object attributes{{"namespace", json_text(client_.cluster().name_space)},
                              {"verb", boosted(need.verb)},
                              {"group", boosted(need.group)},
                              {"resource", boosted(need.resource)}};
      if (!need.subresource.empty()) attributes["subresource"] = boosted(need.subresource);
      const json::object review{{"apiVersion", "authorization.k8s.io/v1"},
                                {"kind", "SelfSubjectAccessReview"},
                                {"spec", json::object{{"resourceAttributes", attributes}}}};
      Call call{http::verb::post, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                json::serialize(review)};
      auto answer = co_await client_.call(std::move(call), info_left());
      // Nobody may ask here, or there is no time to: then the first turn finds out.
      if (!answer && (answer.error().status == 403 || info_left() < Seconds{1})) co_return Result<void>{};
      if (!answer) co_return std::unexpected(Failure{exit_failed, answer.error().text});
      if (true_at(*answer, {"status", "allowed"})) continue;
      missing += fmt::format("{}{} {}{}{}", missing.empty() ? "" : ", ", need.verb, need.resource,
                             need.subresource.empty() ? "" : "/", need.subresource);
    }
    if (missing.empty()) co_return Result<void>{};
    co_return std::unexpected(Failure{
        exit_failed,
        fmt::format("the service account may not {} in namespace {}; apply k8s/components/agents-jobs",
                    missing, client_.cluster().name_space)});
  }

  /// Running containers only, as docker without --all; one that still waits for its node counts, and one
  /// whose Job is gone while its pod is ending: it still has its group's directory.
  asio::awaitable<Result<int>> list(Ps ps) {
    auto jobs = co_await store_.list(budget);
    if (!jobs) co_return std::unexpected(jobs.error());
    auto pods = co_await store_.list_pods(budget);
    if (!pods) co_return std::unexpected(pods.error());
    std::set<std::string> names;
    const auto take = [&](const std::string& name, const std::string& image) {
      const bool named = name.find(ps.name_contains) != std::string::npos;
      const bool of_image = ps.image.empty() || with_tag(image) == with_tag(ps.image);
      if (named && of_image && !name.empty()) names.insert(name);
    };
    for (const AgentJob& job : *jobs)
      if (!job.finished) take(job.name, job.image);
    for (const AgentPod& pod : *pods)
      if (!pod.ended) take(pod.name, pod.image);
    std::string text;
    for (const std::string& name : names) text += name + "\n";
    co_await print(std::move(text));
    co_return 0;
  }

  asio::awaitable<Result<int>> run(Run run) {
    for (const std::string& name : run.env_from_caller) {
      if (auto value = environment_(name)) run.env.emplace_back(name, std::move(*value));
    }
    auto own = co_await find_own_pod(client_, environment_, settings_.data_dir, run_budget);
    if (!own) co_return std::unexpected(Failure{exit_run_failed, own.error().text});
    agent_ = std::make_unique<AgentRun>(client_, console_, std::move(run), settings_);
    co_return co_await agent_->life(std::move(*own));
  }

  /// Every name is tried; each that was done is printed.
  asio::awaitable<Result<int>> end_each(std::vector<std::string> names, Missing missing) {
    int code = 0;
    for (std::string& name : names) {
      auto ended = co_await end_one(name);
      if (ended && *ended) {
        co_await print(name + "\n");
        continue;
      }
      // rm -f of what is not there says so and succeeds: docker/cli since 20.10.
      if (!ended || missing == Missing::is_error) code = exit_failed;
      co_await complain(ended ? no_such(name) : ended.error());
    }
    co_return code;
  }

  /// False: there is no such agent.
  asio::awaitable<Result<bool>> end_one(std::string name) {
    auto job = co_await store_.find(name, budget);
    if (!job) co_return std::unexpected(job.error());
    if (!*job) co_return co_await see_out(std::move(name));
    if (is_left_behind(**job)) co_await end_leftovers();
    auto removed = co_await store_.remove(**job, JobStore::Wait::until_gone);
    if (!removed) co_return std::unexpected(removed.error());
    co_return true;
  }

  /// A pod whose Job is gone is ending already: its end is waited for.
  asio::awaitable<Result<bool>> see_out(std::string name) {
    auto pods = co_await store_.list_pods(budget);
    if (!pods) co_return std::unexpected(pods.error());
    const auto pod =
        std::ranges::find_if(*pods, [&](const AgentPod& each) { return each.name == name && !each.ended; });
    if (pod == pods->end()) co_return false;
    auto gone = co_await store_.wait_until_gone(*pod);
    if (!gone) co_return std::unexpected(gone.error());
    co_return true;
  }

  /// Only where the caller is: elsewhere every `docker run` of its looks gone.
  bool is_left_behind(const AgentJob& job) const {
    return !job.finished && !job.deleting && !job.caller.empty() && !caller_lives(job.caller) &&
           LedgerFile::of(environment_).here();
  }

  /// gated and runed stop what a killed one left one by one, and each takes its 10 s: all are told at the
  /// first, so that together they take no longer than one.
  asio::awaitable<void> end_leftovers() {
    auto jobs = co_await store_.list(budget);
    if (!jobs) co_return;  // then one by one
    for (const AgentJob& job : *jobs) {
      if (is_left_behind(job)) (void)co_await store_.remove(job, JobStore::Wait::told);
    }
  }

  /// SIGKILL cannot be sent to PID 1 from inside its own container: there it is the end of the Job, whose pod
  /// gets SIGTERM and, after its grace, SIGKILL by the kubelet. What is printed is dead all the same.
  asio::awaitable<Result<int>> kill(Kill kill) {
    if (kill.signal == "KILL" || kill.signal == "9")
      co_return co_await end_each(std::move(kill.names), Missing::is_error);
    int code = 0;
    for (std::string& name : kill.names) {
      auto job = co_await store_.find(name, budget);
      Result<void> sent = std::unexpected(no_such(name));
      if (!job) sent = std::unexpected(job.error());
      if (job && *job) sent = co_await signal_agent(client_, **job, kill.signal);
      if (sent) {
        co_await print(name + "\n");
      } else {
        code = exit_failed;
        co_await complain(sent.error());
      }
    }
    co_return code;
  }

  asio::awaitable<Result<int>> no_network(Network network) {
    const std::string_view done = network.verb == "inspect"  ? "inspected"
                                  : network.verb == "create" ? "made"
                                                             : "joined";
    co_return std::unexpected(Failure{
        exit_failed, fmt::format("network {} cannot be {}: docker networks do not exist on Kubernetes; leave "
                                 "CRACKBOX_ADMIN_API unset and limit the agents by a NetworkPolicy",
                                 network.name, done)});
  }

  ApiClient& client_;
  Console& console_;
  const Environment& environment_;
  Settings settings_;
  JobStore store_;
  const Clock::time_point begun_ = Clock::now();
  std::unique_ptr<AgentRun> agent_;  // its watcher and its streams may outlive the command by a step
};

struct Session {
  Session(asio::io_context& io, std::unique_ptr<ApiClient> api, const Environment& variables,
          Settings settings)
      : client(std::move(api)),
        console(io),
        environment(variables),
        commands(*client, console, environment, std::move(settings)) {}

  std::unique_ptr<ApiClient> client;
  Console console;
  Environment environment;
  Commands commands;
};

}  // namespace

Result<int> on_kubernetes(const Command& command, const Environment& environment) {
  auto settings = read_settings(environment);
  if (!settings) return std::unexpected(settings.error());
  auto cluster = find_cluster(environment);
  if (!cluster) return std::unexpected(cluster.error());
  // Never destroyed: the coroutines that are left behind (a watch, our standard input) refer to all of it.
  static auto& io = *new asio::io_context{1};
  auto client = ApiClient::create(io, std::move(*cluster));
  if (!client) return std::unexpected(client.error());
  static auto& session = *new Session(io, std::move(*client), environment, std::move(*settings));
  std::optional<Result<int>> result;
  asio::co_spawn(io, session.commands.carry_out(command), [&](std::exception_ptr error, Result<int> out) {
    if (error) std::rethrow_exception(error);
    result = std::move(out);
    io.stop();  // what still waits has nothing to say any more
  });
  io.run();
  session.console.restore();
  return result ? std::move(*result) : fail("ended without a result");
}

}  // namespace arizuko::agents
