// The Jobs of this instance on the API server: made, found, listed, deleted.
#pragma once

#include <functional>

#include "api_client.hpp"

namespace arizuko::agents {

/// A Job as far as docker's words go.
struct AgentJob {
  std::string job;
  std::string uid;
  std::string run_id;
  std::string name;   // the docker name
  std::string image;  // as `run` was given it
  bool finished = false;
  bool deleting = false;
  std::string failure;  // the reason of a Failed condition: DeadlineExceeded ...
  std::string caller;   // the `docker run` that looks after it (ledger_file.hpp)
};

/// The pod of an agent. It outlives its Job by the time that it takes to end.
struct AgentPod {
  std::string pod;
  std::string uid;
  std::string name;   // the docker name
  std::string image;  // as `run` was given it
  bool ended = false;
};

AgentJob read_job(const json::value& job);

class JobStore {
 public:
  JobStore(ApiClient& client, std::string instance) : client_(client), instance_(std::move(instance)) {}

  /// Made exactly once, however often the request had to be repeated. The Job of an older run with this name
  /// is cleared away when it is finished; a living one is docker's conflict.
  asio::awaitable<Result<AgentJob>> create(json::object job, std::string name, std::string run_id);

  /// nullopt: there is none.
  asio::awaitable<Result<std::optional<AgentJob>>> find(std::string name, Milliseconds budget);
  asio::awaitable<Result<std::vector<AgentJob>>> list(Milliseconds budget);

  asio::awaitable<Result<std::vector<AgentPod>>> list_pods(Milliseconds budget);

  /// told: its pod is ending, and whoever waits for it later waits for no more than is left.
  enum class Wait { until_gone, told, not_at_all };
  /// Deletes the Job and its pod, which is given the grace that docker's stop gives. Gone already is fine.
  asio::awaitable<Result<void>> remove(AgentJob job, Wait wait);
  asio::awaitable<Result<void>> wait_until_gone(AgentPod pod);

 private:
  struct Awaited {
    std::string collection, object, uid, name;
  };
  asio::awaitable<Result<void>> wait_until_gone(Awaited what);
  using OnItem = std::function<void(const json::value& item)>;
  asio::awaitable<Result<void>> list_all(std::string collection, OnItem on_item, Milliseconds budget);

  ApiClient& client_;
  std::string instance_;
};

}  // namespace arizuko::agents
