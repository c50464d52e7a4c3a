// What else runs in the pod beside arizuko-init, and how arizuko-init itself is started.
#include <algorithm>

#include "known.hpp"
#include "pod_view.hpp"

namespace arizuko::doctor {

namespace {

bool same(yaml::Value one, yaml::Value other) {
  return one.line() == other.line() && one.column() == other.column();
}

/// Of an init container: the next one waits for its end. With restartPolicy Always it is a sidecar.
bool must_end(yaml::Value init_container) { return init_container["restartPolicy"].text() != "Always"; }

bool is_shell(std::string_view word) {
  const std::string_view name = program_of(word);
  return name == "sh" || name == "bash" || name == "ash" || name == "dash";
}

/// The daemon that a container runs alone: by its command, or by an image called arizuko-<daemon>.
const plan::Service* daemon_of(const PodView& pod, yaml::Value container) {
  const std::vector<std::string> words = words_of(container);
  const std::string image = container["image"].text();
  const std::string name = fmt::format("{}:", program_of(image.substr(0, image.find('@'))));
  for (const plan::Service& each : pod.plan.services) {
    if (!each.enabled || each.kind == plan::Kind::task) continue;
    const bool by_command = !words.empty() && program_of(words.front()) == program_name(each);
    const bool by_image = !container["command"] && name.starts_with(fmt::format("arizuko-{}:", each.name));
    if (by_command || by_image) return &each;
  }
  return nullptr;
}

/// `arizuko create` before each start: the guide's init container.
bool seeds(yaml::Value container) {
  const std::vector<std::string> words = words_of(container);
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (program_of(words[i]) == "arizuko" && words[i + 1] == "create") return true;
  }
  return std::ranges::any_of(words, [](const std::string& each) { return each.contains("arizuko create "); });
}

void look_at_other(const PodView& pod, yaml::Value other, std::string_view key, Findings& found) {
  const std::string name = other["name"].text();
  const auto add = [&](std::string_view what, std::string_view why, std::string_view fix) {
    pod.add(found, Severity::error, "containers", other, fmt::format("{}.{}", key, name), what, why, fix);
  };
  if (is_ours(other, &pod.plan)) {
    if (key == "initContainers" && must_end(other)) return;  // has its own finding
    return add("it runs arizuko-init, too", "two instances in one pod want the same ports (T1, T7)",
               "one container for all daemons; another instance gets a Deployment of its own");
  }
  if (seeds(other)) {
    return add("it runs `arizuko create` at every start",
               "a second run resets the group main and brings deleted tasks back (T12)",
               "take it away: the plan's task seed does it once");
  }
  if (const plan::Service* daemon = daemon_of(pod, other)) {
    add(fmt::format("it runs {}, which arizuko-init starts, too", daemon->name),
        "two of it in one pod have one port and one database: messages are lost or answered twice (T1, T25)",
        fmt::format("take the container away, or switch the service off: service.{}.enabled = false",
                    daemon->name));
  }
}

/// How ours is started: as PID 1, by its own name, once.
void look_at_ours(const PodView& pod, Findings& found) {
  const yaml::Value container = pod.workload.container;
  const std::vector<yaml::Value> command = container["command"].items();
  const std::vector<yaml::Value> args = container["args"].items();
  const auto add = [&](Severity severity, yaml::Value place, std::string_view key, std::string_view what,
                       std::string_view why, std::string_view fix) {
    pod.add(found, severity, "containers", place, key, what, why, fix);
  };
  if (command.empty() && !args.empty() && program_of(args[0].text()) == "arizuko-init") {
    add(Severity::error, args[0], "args", "it begins with the program's own name",
        "args are put behind the image's entrypoint, which is arizuko-init already: exit 64",
        "leave the name out: args: [\"run\"]; or call it command");
  }
  if (!command.empty() && is_shell(command[0].text())) {
    add(Severity::warning, command[0], "command", "a shell starts it",
        "the image need not have one, and a shell as PID 1 passes no SIGTERM on: the pod is killed after its "
        "grace",
        "call the program itself: command: [\"/usr/local/bin/arizuko-init\"], args: [\"run\"]");
  }
  const std::string policy = pod.workload.pod["restartPolicy"].text();
  if (pod.workload.resource.kind == "Pod" && (policy == "Never" || policy == "OnFailure")) {
    add(Severity::warning, pod.workload.pod.key("restartPolicy"), "restartPolicy",
        fmt::format("it is {}", policy),
        "what ends is not started again, and nobody makes the pod anew when its node is gone",
        "use a Deployment with strategy Recreate");
  }
}

}  // namespace

bool holds_up_the_pod(const PodView& pod) {
  return std::ranges::any_of(pod.workload.pod["initContainers"].items(), [&](yaml::Value each) {
    return same(each, pod.workload.container) && must_end(each);
  });
}

Findings check_containers(const PodView& pod) {
  Findings found;
  if (holds_up_the_pod(pod)) {
    pod.add(found, Severity::error, "containers", pod.workload.container,
            fmt::format("initContainers.{}", pod.workload.container["name"].text()),
            "an init container has to end, and arizuko-init does not", "the pod never gets past it",
            "move it to containers");
    return found;
  }
  look_at_ours(pod, found);
  for (const char* key : {"containers", "initContainers"}) {
    for (const yaml::Value other : pod.workload.pod[key].items()) {
      if (!same(other, pod.workload.container)) look_at_other(pod, other, key, found);
    }
  }
  return found;
}

}  // namespace arizuko::doctor
