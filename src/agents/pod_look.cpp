#include "pod_look.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace arizuko::agents {
namespace {

// A registry that hiccups and a Secret that comes a moment late heal by themselves: the kubelet tries again.
constexpr Seconds patience{30};

const json::value* agent_status(const json::value& pod) {
  const auto* statuses = list_at(pod, {"status", "containerStatuses"});
  return statuses == nullptr || statuses->empty() ? nullptr : &statuses->front();
}

const json::value* condition(const json::value& pod, std::string_view type) {
  const auto* conditions = list_at(pod, {"status", "conditions"});
  if (conditions == nullptr) return nullptr;
  for (const json::value& each : *conditions) {
    if (text_at(each, {"type"}) == type) return &each;
  }
  return nullptr;
}

Hold hold_of(std::string_view reason) {
  constexpr auto failing =
      std::to_array<std::string_view>({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable",
                                       "ImageInspectError", "SignatureValidationFailed"});
  constexpr auto hopeless = std::to_array<std::string_view>({"InvalidImageName", "ErrImageNeverPull"});
  if (std::ranges::find(failing, reason) != failing.end()) return Hold::pull_fails;
  if (std::ranges::find(hopeless, reason) != hopeless.end()) return Hold::never_pulls;
  const bool idle = reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing";
  return idle ? Hold::pulling : Hold::cannot_start;
}

void look_at_waiting(const json::value& pod, const json::value* status, PodLook& look) {
  const auto* scheduled = condition(pod, "PodScheduled");
  const bool placed = !text_at(pod, {"spec", "nodeName"}).empty();
  if (!placed) {
    look.hold = Hold::unscheduled;
    if (scheduled != nullptr && text_at(*scheduled, {"status"}) == "False") {
      look.hold = Hold::unschedulable;
      look.reason = text_at(*scheduled, {"reason"});
      look.message = text_at(*scheduled, {"message"});
    }
    return;
  }
  look.hold = Hold::pulling;
  if (status == nullptr) return;
  look.reason = text_at(*status, {"state", "waiting", "reason"});
  look.message = text_at(*status, {"state", "waiting", "message"});
  look.hold = hold_of(look.reason);
}

/// A pod may end without its container having a last state: evicted or refused by the kubelet before it ran.
Ended end_without_container(const json::value& pod) {
  return {text_at(pod, {"status", "phase"}) == "Succeeded" ? 0 : exit_killed,
          text_at(pod, {"status", "reason"}), text_at(pod, {"status", "message"})};
}

/// The pod's own reason explains more than the container's: "Evicted" more than "Error".
void add_reason_of_pod(const json::value& pod, Ended& ended) {
  auto reason = text_at(pod, {"status", "reason"});
  auto message = text_at(pod, {"status", "message"});
  if (const auto* target = condition(pod, "DisruptionTarget"); reason.empty() && target != nullptr) {
    if (text_at(*target, {"reason"}) != "DeletionByTaintManager" || ended.code != 0)
      reason = text_at(*target, {"reason"});
    message = text_at(*target, {"message"});
  }
  if (reason.empty()) return;
  ended.reason = std::move(reason);
  ended.message = std::move(message);
}

}  // namespace

PodLook look_at(const json::value& pod) {
  PodLook look;
  look.pod = text_at(pod, {"metadata", "name"});
  const auto phase = text_at(pod, {"status", "phase"});
  look.node_lost = phase == "Unknown" || text_at(pod, {"status", "reason"}) == "NodeLost";
  const auto* status = agent_status(pod);
  if (status != nullptr && value_at(*status, {"state", "terminated"}) != nullptr) {
    const auto& last = *value_at(*status, {"state", "terminated"});
    look.ended = Ended{static_cast<int>(number_at(last, {"exitCode"}, exit_killed)),
                       text_at(last, {"reason"}), text_at(last, {"message"})};
    add_reason_of_pod(pod, *look.ended);
  } else if (phase == "Failed" || phase == "Succeeded") {
    look.ended = end_without_container(pod);
  } else if (status != nullptr && value_at(*status, {"state", "running"}) != nullptr) {
    look.running = true;
  } else {
    look_at_waiting(pod, status, look);
  }
  return look;
}

std::optional<Failure> give_up(const PodLook& look, const Held& held, const AgentPolicy& policy,
                               std::string_view image, std::string_view node) {
  const auto said = [&look] {
    return look.message.empty() ? look.reason : fmt::format("{}: {}", look.reason, look.message);
  };
  const auto failure = [](std::string text) { return Failure{exit_run_failed, std::move(text)}; };
  switch (look.hold) {
    case Hold::none: return std::nullopt;
    case Hold::unscheduled:
    case Hold::unschedulable:
      if (held.since_created < policy.schedule_within) return std::nullopt;
      return failure(
          fmt::format("the agent could not be scheduled on node {} within {} s{}{}; free room there, "
                      "or change [agents] requests or tolerations",
                      node, policy.schedule_within.count(), look.reason.empty() ? "" : ": ", said()));
    case Hold::pulling:
      if (held.since_scheduled < policy.pull_within) return std::nullopt;
      return failure(
          fmt::format("the agent did not start within {} s: the kubelet still prepares image {}; "
                      "see `kubectl get events --field-selector involvedObject.name={}`, or raise [agents] "
                      "pull_within",
                      policy.pull_within.count(), image, look.pod));
    case Hold::pull_fails:
      if (held.in_this_hold < std::min(patience, policy.pull_within)) return std::nullopt;
      return failure(
          fmt::format("the image {} cannot be pulled: {}; check CONTAINER_IMAGE and [agents] "
                      "image_pull_secrets",
                      image, said()));
    case Hold::never_pulls:
      return failure(fmt::format("the image {} cannot be used: {}; check CONTAINER_IMAGE", image, said()));
    case Hold::cannot_start:
      if (held.in_this_hold < std::min(patience, policy.pull_within)) return std::nullopt;
      return failure(fmt::format("the agent's container cannot be started: {}", said()));
  }
  return std::nullopt;
}

std::string explain(const Ended& ended) {
  const auto with_message = [&ended](std::string_view what) {
    return ended.message.empty() ? std::string{what} : fmt::format("{}: {}", what, ended.message);
  };
  if (ended.reason == "OOMKilled")
    return "the agent was killed because it used more memory than its limit (OOMKilled); raise [agents] "
           "limits";
  if (ended.reason == "Evicted") return with_message("the agent was evicted from its node");
  if (ended.reason == "DeadlineExceeded") return "the agent was ended by the deadline of its Job";
  if (ended.reason == "NodeLost") return with_message("the agent's node was lost");
  if (ended.reason == "StartError" || ended.reason == "ContainerCannotRun")
    return with_message("the agent's container could not be run");
  const bool usual = ended.reason.empty() || ended.reason == "Completed" || ended.reason == "Error";
  return usual ? "" : with_message(fmt::format("the agent was ended by Kubernetes ({})", ended.reason));
}

}  // namespace arizuko::agents
