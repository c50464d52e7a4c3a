#include "agent_job.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "binds.hpp"
#include "names.hpp"

namespace arizuko::agents {
namespace {

// gated and runed as uid 0 or 1000 count on the agent image's user, node: 1000. "restricted" wants it as a
// number.
constexpr std::uint32_t image_user = 1000;
constexpr std::int64_t kept_after_end_seconds = 300;  // of what nobody deleted: time for a look
constexpr Seconds deadline_slack{60};

json::object labels(std::string_view instance, std::string_view run_id) {
  return {{"app.kubernetes.io/name", "arizuko-agent"},
          {"app.kubernetes.io/managed-by", "arizuko-docker"},
          {boosted(label_instance), json_text(label_value(instance))},
          {boosted(label_run), json_text(run_id)}};
}

/// KEY[=VALUE][:EFFECT], as kubectl writes a taint; without VALUE the key alone counts.
json::object toleration(std::string_view text) {
  json::object out;
  if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
    out["effect"] = json_text(text.substr(colon + 1));
    text = text.substr(0, colon);
  }
  const auto equals = text.find('=');
  out["key"] = json_text(text.substr(0, equals));
  out["operator"] = equals == std::string_view::npos ? "Exists" : "Equal";
  if (equals != std::string_view::npos) out["value"] = json_text(text.substr(equals + 1));
  return out;
}

json::array named(const std::vector<std::string>& names) {
  json::array out;
  for (const std::string& name : names) out.push_back(json::object{{"name", json_text(name)}});
  return out;
}

json::object quantities(const std::vector<std::pair<std::string, std::string>>& pairs) {
  json::object out;
  for (const auto& [name, amount] : pairs) out[boosted(name)] = json_text(amount);
  return out;
}

json::array environment(const Run& run) {
  json::array out;
  for (const auto& [name, value] : run.env)
    out.push_back(json::object{{"name", json_text(name)}, {"value", json_text(value)}});
  return out;
}

json::array environment_references(const AgentPolicy& policy) {
  json::array out;
  for (const std::string& name : policy.config_maps)
    out.push_back(json::object{{"configMapRef", json::object{{"name", json_text(name)}}}});
  for (const std::string& name : policy.secrets)
    out.push_back(json::object{{"secretRef", json::object{{"name", json_text(name)}}}});
  return out;
}

/// Volumes and the places where the agent sees them.
class Storage {
 public:
  void add(const Mapped& mapped) {
    auto known = std::ranges::find(claims_, mapped.claim);
    const auto name = fmt::format("data-{}", known - claims_.begin());
    if (known == claims_.end()) {
      claims_.push_back(mapped.claim);
      volumes_.push_back(
          json::object{{"name", json_text(name)},
                       {"persistentVolumeClaim", json::object{{"claimName", json_text(mapped.claim)}}}});
    }
    json::object mount{{"name", json_text(name)}, {"mountPath", json_text(mapped.path)}};
    if (!mapped.sub_path.empty()) mount["subPath"] = json_text(mapped.sub_path);
    if (mapped.access == Access::read_only) mount["readOnly"] = true;
    mounts_.push_back(std::move(mount));
  }

  /// Memory that counts against the container's limit, as docker's /dev/shm does.
  void add_shared_memory(std::uint64_t bytes) {
    volumes_.push_back(json::object{
        {"name", "shm"},
        {"emptyDir", json::object{{"medium", "Memory"}, {"sizeLimit", json_text(std::to_string(bytes))}}}});
    mounts_.push_back(json::object{{"name", "shm"}, {"mountPath", "/dev/shm"}});
  }

  json::array take_volumes() { return std::move(volumes_); }
  json::array take_mounts() { return std::move(mounts_); }

 private:
  std::vector<std::string> claims_;
  json::array volumes_;
  json::array mounts_;
};

Result<Storage> storage(const Run& run, const Settings& settings, const OwnPod& own) {
  Storage out;
  for (const Bind& bind : run.binds) {
    const auto mapped = map_bind(bind, settings, own);
    if (!mapped) return std::unexpected(mapped.error());
    if (*mapped) out.add(**mapped);
  }
  if (run.shm_bytes) out.add_shared_memory(*run.shm_bytes);
  return out;
}

json::object container(const Run& run, const AgentPolicy& policy, json::array mounts) {
  json::object resources;
  if (!policy.requests.empty()) resources["requests"] = quantities(policy.requests);
  if (!policy.limits.empty()) resources["limits"] = quantities(policy.limits);
  return {{"name", boosted(agent_container)},
          {"image", json_text(run.image)},
          // As `docker run`: what the node has is used. Unset it would be Always for :latest, and an image
          // that is on the node only would never run.
          {"imagePullPolicy", "IfNotPresent"},
          {"env", environment(run)},
          {"envFrom", environment_references(policy)},
          {"volumeMounts", std::move(mounts)},
          {"resources", std::move(resources)},
          {"stdin", true},
          // The runtime closes the agent's standard input when the connection that fed it ends: the only
          // end of input that v4 has, and what saves an agent from waiting for ever when we are killed.
          {"stdinOnce", true},
          {"terminationMessagePolicy", "FallbackToLogsOnError"},
          {"securityContext", json::object{{"allowPrivilegeEscalation", false},
                                           {"capabilities", json::object{{"drop", json::array{"ALL"}}}}}}};
}

json::object security(const Run& run, const OwnPod& own) {
  json::object out = own.security;
  const auto user = run.user.value_or(User{image_user, image_user});
  out["runAsUser"] = user.uid;
  if (user.gid) out["runAsGroup"] = *user.gid;
  out["runAsNonRoot"] = true;
  out["seccompProfile"] = json::object{{"type", "RuntimeDefault"}};
  return out;
}

/// Through the scheduler, which waits for room and says what is missing; `nodeName` would pass it by.
json::object on_node(const std::string& node) {
  const json::object field{
      {"key", "metadata.name"}, {"operator", "In"}, {"values", json::array{json_text(node)}}};
  const json::object term{{"matchFields", json::array{field}}};
  return {{"nodeAffinity", json::object{{"requiredDuringSchedulingIgnoredDuringExecution",
                                         json::object{{"nodeSelectorTerms", json::array{term}}}}}}};
}

json::array tolerations(const AgentPolicy& policy, const OwnPod& own) {
  json::array out = own.tolerations;
  for (const std::string& text : policy.tolerations) out.push_back(toleration(text));
  return out;
}

json::object pod_spec(const Run& run, const AgentPolicy& policy, const OwnPod& own, Storage storage) {
  json::object spec{
      {"restartPolicy", "Never"},
      {"terminationGracePeriodSeconds", stop_grace.count()},
      {"automountServiceAccountToken", false},
      {"enableServiceLinks", false},
      {"affinity", on_node(own.node)},
      {"tolerations", tolerations(policy, own)},
      {"imagePullSecrets",
       policy.image_pull_secrets.empty() ? own.image_pull_secrets : named(policy.image_pull_secrets)},
      {"securityContext", security(run, own)},
      {"containers", json::array{container(run, policy, storage.take_mounts())}},
      {"volumes", storage.take_volumes()}};
  if (!policy.service_account.empty()) spec["serviceAccountName"] = json_text(policy.service_account);
  if (!policy.runtime_class.empty()) spec["runtimeClassName"] = json_text(policy.runtime_class);
  return spec;
}

json::object owner(const OwnPod& own) {
  return {{"apiVersion", "v1"}, {"kind", "Pod"}, {"name", json_text(own.name)}, {"uid", json_text(own.uid)}};
}

}  // namespace

Seconds active_deadline(const Settings& settings) {
  return settings.policy.schedule_within + settings.policy.pull_within + settings.longest_turn + stop_grace +
         deadline_slack;
}

void name_caller(json::object& job, std::string_view caller) {
  job["metadata"].as_object()["annotations"].as_object()[boosted(annotation_caller)] = json_text(caller);
}

Result<json::object> build_job(const Run& run, const Settings& settings, const OwnPod& own,
                               std::string_view run_id) {
  if (!run.network.empty()) {
    return fail(fmt::format("cannot run in network {}: docker networks do not exist on Kubernetes; leave "
                            "CRACKBOX_ADMIN_API unset and limit the agents by a NetworkPolicy",
                            run.network),
                exit_run_failed);
  }
  if (run.user && run.user->uid == 0) {
    return fail(
        "cannot run an agent as root: Pod Security \"restricted\" forbids it; run arizuko as uid 1000",
        exit_run_failed);
  }
  auto stored = storage(run, settings, own);
  if (!stored) return std::unexpected(stored.error());
  const json::object annotations{{boosted(annotation_name), json_text(run.name)},
                                 {boosted(annotation_image), json_text(run.image)}};
  json::object metadata{{"name", json_text(job_name(settings.instance, run.name))},
                        {"labels", labels(settings.instance, run_id)},
                        {"annotations", annotations},
                        {"ownerReferences", json::array{owner(own)}}};
  json::object pod_metadata{{"labels", labels(settings.instance, run_id)}, {"annotations", annotations}};
  json::object spec{
      {"backoffLimit", 0},
      {"ttlSecondsAfterFinished", kept_after_end_seconds},
      {"activeDeadlineSeconds", active_deadline(settings).count()},
      {"template", json::object{{"metadata", std::move(pod_metadata)},
                                {"spec", pod_spec(run, settings.policy, own, std::move(*stored))}}}};
  return json::object{{"apiVersion", "batch/v1"},
                      {"kind", "Job"},
                      {"metadata", std::move(metadata)},
                      {"spec", std::move(spec)}};
}

}  // namespace arizuko::agents
