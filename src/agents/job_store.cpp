#include "job_store.hpp"

#include <fmt/format.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/json/serialize.hpp>

#include "agent_job.hpp"
#include "arizuko/base/percent.hpp"
#include "names.hpp"
#include "pod_look.hpp"
#include "watcher.hpp"

namespace arizuko::agents {
namespace {

constexpr Seconds create_budget{60};
constexpr Seconds remove_budget{60};
// Of the wait for a pod to be gone: its own grace, then what kubelet and garbage collector need.
constexpr Seconds gone_limit = stop_grace + Seconds{30};
constexpr int most_clearings = 3;

Failure told(const ApiError& error, int code = exit_failed) { return {code, error.text}; }

Failure name_in_use(std::string_view name, const AgentJob& by) {
  return {
      exit_run_failed,
      fmt::format("Error response from daemon: Conflict. The container name \"/{}\" is already in use by "
                  "container \"{}\" (Job {}). You have to remove (or rename) that container to be able to "
                  "reuse that name.",
                  name, by.uid, by.job)};
}

}  // namespace

AgentJob read_job(const json::value& job) {
  AgentJob out{text_at(job, {"metadata", "name"}),
               text_at(job, {"metadata", "uid"}),
               text_at(job, {"metadata", "labels", label_run}),
               text_at(job, {"metadata", "annotations", annotation_name}),
               text_at(job, {"metadata", "annotations", annotation_image}),
               false,
               !text_at(job, {"metadata", "deletionTimestamp"}).empty(),
               "",
               text_at(job, {"metadata", "annotations", annotation_caller})};
  if (const auto* conditions = list_at(job, {"status", "conditions"})) {
    for (const json::value& each : *conditions) {
      const auto type = text_at(each, {"type"});
      if (text_at(each, {"status"}) != "True") continue;
      if (type == "Complete" || type == "Failed") out.finished = true;
      if (type == "Failed" || type == "FailureTarget") out.failure = text_at(each, {"reason"});
    }
  }
  return out;
}

asio::awaitable<Result<AgentJob>> JobStore::create(json::object job, std::string name, std::string run_id) {
  const auto body = json::serialize(job);
  for (int clearings = 0;; ++clearings) {
    Call call{http::verb::post, fmt::format("{}?fieldManager={}", client_.jobs_path(), field_manager), body};
    auto made = co_await client_.call(std::move(call), create_budget);
    if (made) co_return read_job(*made);
    if (made.error().status != 409) co_return std::unexpected(told(made.error(), exit_run_failed));
    auto there = co_await find(name, create_budget);
    if (!there) co_return std::unexpected(there.error());
    if (!*there) continue;  // it went away in between
    AgentJob found = **there;
    // An earlier attempt of ours arrived although its answer did not.
    if (found.run_id == run_id) co_return found;
    if ((!found.finished && !found.deleting) || clearings == most_clearings)
      co_return std::unexpected(name_in_use(name, found));
    auto cleared = co_await remove(found, Wait::until_gone);
    if (!cleared) co_return std::unexpected(Failure{exit_run_failed, cleared.error().text});
  }
}

asio::awaitable<Result<std::optional<AgentJob>>> JobStore::find(std::string name, Milliseconds budget) {
  Call call{http::verb::get, fmt::format("{}/{}", client_.jobs_path(), job_name(instance_, name)), ""};
  auto found = co_await client_.call(std::move(call), budget);
  if (found) co_return std::optional{read_job(*found)};
  if (found.error().status == 404) co_return std::optional<AgentJob>{};
  co_return std::unexpected(told(found.error()));
}

asio::awaitable<Result<void>> JobStore::list_all(std::string collection, OnItem on_item,
                                                 Milliseconds budget) {
  std::string more;
  do {
    Call call{http::verb::get,
              fmt::format("{}?limit=100&labelSelector={}{}", collection,
                          base::percent_encoded(instance_selector(instance_)),
                          more.empty() ? "" : "&continue=" + base::percent_encoded(more)),
              ""};
    auto page = co_await client_.call(std::move(call), budget);
    if (!page) co_return std::unexpected(told(page.error()));
    if (const auto* items = list_at(*page, {"items"})) {
      for (const json::value& item : *items) on_item(item);
    }
    more = text_at(*page, {"metadata", "continue"});
  } while (!more.empty());
  co_return Result<void>{};
}

asio::awaitable<Result<std::vector<AgentJob>>> JobStore::list(Milliseconds budget) {
  std::vector<AgentJob> out;
  const OnItem take = [&](const json::value& item) { out.push_back(read_job(item)); };
  auto listed = co_await list_all(client_.jobs_path(), take, budget);
  if (!listed) co_return std::unexpected(listed.error());
  co_return out;
}

asio::awaitable<Result<std::vector<AgentPod>>> JobStore::list_pods(Milliseconds budget) {
  std::vector<AgentPod> out;
  const OnItem take = [&](const json::value& item) {
    out.push_back({text_at(item, {"metadata", "name"}), text_at(item, {"metadata", "uid"}),
                   text_at(item, {"metadata", "annotations", annotation_name}),
                   text_at(item, {"metadata", "annotations", annotation_image}),
                   look_at(item).ended.has_value()});
  };
  auto listed = co_await list_all(client_.core_path() + "/pods", take, budget);
  if (!listed) co_return std::unexpected(listed.error());
  co_return out;
}

asio::awaitable<Result<void>> JobStore::remove(AgentJob job, Wait wait) {
  // With "Foreground" the Job stays until its pod is gone: what is waited for.
  const json::object options{{"apiVersion", "v1"},
                             {"kind", "DeleteOptions"},
                             {"propagationPolicy", wait == Wait::not_at_all ? "Background" : "Foreground"},
                             {"preconditions", json::object{{"uid", json_text(job.uid)}}}};
  Call call{http::verb::delete_, fmt::format("{}/{}", client_.jobs_path(), job.job),
            json::serialize(options)};
  auto removed = co_await client_.call(std::move(call), remove_budget);
  // 404: gone; 409: another one has its name by now, so this one is gone.
  if (!removed && removed.error().status != 404 && removed.error().status != 409)
    co_return std::unexpected(told(removed.error()));
  if (removed && wait == Wait::until_gone)
    co_return co_await wait_until_gone(Awaited{client_.jobs_path(), job.job, job.uid, job.name});
  co_return Result<void>{};
}

asio::awaitable<Result<void>> JobStore::wait_until_gone(AgentPod pod) {
  co_return co_await wait_until_gone(Awaited{client_.core_path() + "/pods", pod.pod, pod.uid, pod.name});
}

asio::awaitable<Result<void>> JobStore::wait_until_gone(Awaited what) {
  Watcher* running = nullptr;
  bool gone = false;
  Watcher watcher(
      client_, what.collection,
      base::percent_encoded("fieldSelector") + "=" + base::percent_encoded("metadata.name=" + what.object),
      [&](const json::value* found) {
        gone = found == nullptr || text_at(*found, {"metadata", "uid"}) != what.uid;
        if (gone) running->stop();
      });
  running = &watcher;
  asio::steady_timer limit(client_.io(), gone_limit);
  limit.async_wait([&](boost::system::error_code error) {
    if (!error) running->stop();
  });
  auto followed = co_await watcher.follow(gone_limit);
  limit.cancel();
  co_await client_.pause(Milliseconds{0});  // the timer's handler must not outlive what it refers to
  if (!followed) co_return std::unexpected(told(followed.error()));
  if (!gone) {
    co_return std::unexpected(Failure{
        exit_failed, fmt::format("{} was told to stop but is not gone after {} s; see `kubectl get events "
                                 "--field-selector involvedObject.name={}`",
                                 what.name, gone_limit.count(), what.object)});
  }
  co_return Result<void>{};
}

}  // namespace arizuko::agents
