// The resolved plan for people: small pieces first, then the listing.
#include "arizuko/plan/show.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "json.hpp"
#include "listing.hpp"
#include "values.hpp"
#include "words.hpp"

namespace arizuko::plan {
namespace {

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

std::string listener_note(Listener listener) { return listener == Listener::any ? " (any listener)" : ""; }

/// What it asks and of whom, without a value of a header: "http http://... with Authorization of gated".
std::string http_text(const HttpCheck& check) {
  std::string text = "http ";
  if (check.method != Method::get) text += fmt::format("{} ", word_of(method_words, check.method));
  text += check.url;
  if (!check.of.empty()) text += " of " + check.of;
  if (!check.headers.empty()) text += fmt::format(" with {}", fmt::join(header_names(check), ", "));
  if (check.status != std::vector{StatusRange{}}) text += " answers " + status_text(check.status);
  if (!check.contains.empty()) text += " contains " + base::json_string(to_text(check.contains));
  return text + listener_note(check.listener);
}

/// As one would type it in a shell, quoted where a blank or a sign would mislead.
std::string command_line(const std::vector<std::string>& command) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  std::string out;
  for (const std::string& word : command) {
    const bool is_plain = !word.empty() && word.find_first_not_of(plain) == std::string::npos;
    out += (out.empty() ? "" : " ") + (is_plain ? word : base::json_string(word));
  }
  return out;
}

std::string listener_text(const std::optional<Address>& address) {
  return address ? address_text(*address) : "off";
}

void line(std::string& out, std::string_view label, std::string_view text) {
  if (!text.empty()) out += fmt::format("  {:<12}{}\n", label, text);
}

void add_pod(std::string& out, const Plan& plan) {
  const Pod& pod = plan.pod;
  out += fmt::format("pod {}\n", pod.instance);
  line(out, "data_dir", pod.data_dir);
  line(out, "probes", listener_text(pod.probes));
  line(out, "page", listener_text(pod.page));
  line(out, "run_dir", pod.run_dir);
  line(out, "control", pod.control);
  line(out, "ready_when", fmt::format("{}", fmt::join(names(plan, pod.ready_when), ", ")));
  line(out, "grace", to_text(pod.grace));
  line(out, "log", pod.log ? word_of(log_words, *pod.log) : "");
  line(out, "make_dirs", fmt::format("{}", fmt::join(pod.make_dirs, ", ")));
  out += "\nenv\n";
  std::vector<std::string> sources;
  for (const Source& source : plan.env.sources) sources.push_back(with_names(source));
  line(out, "sources", fmt::format("{}", fmt::join(sources, ", ")));
  line(out, "common", fmt::format("{}", fmt::join(plan.env.common, ", ")));
  line(out, "guarded", fmt::format("{}", fmt::join(plan.env.guarded, ", ")));
  for (const Generated& each : plan.env.generated)
    line(out, "generated",
         fmt::format("{}: {} bytes, {}", each.key, each.bytes, word_of(encoding_words, each.encoding)));
}

std::string amounts_text(const std::vector<std::pair<std::string, std::string>>& amounts) {
  std::string out;
  for (const auto& [name, amount] : amounts)
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, amount);
  return out;
}

void add_agents(std::string& out, const AgentPolicy& agents) {
  if (agents == AgentPolicy{}) return;
  out += "\nagents\n";
  line(out, "pull secrets", fmt::format("{}", fmt::join(agents.image_pull_secrets, ", ")));
  line(out, "account", agents.service_account);
  line(out, "runtime", agents.runtime_class);
  line(out, "tolerations", fmt::format("{}", fmt::join(agents.tolerations, ", ")));
  line(out, "requests", amounts_text(agents.requests));
  line(out, "limits", amounts_text(agents.limits));
  line(out, "secrets", fmt::format("{}", fmt::join(agents.secrets, ", ")));
  line(out, "config maps", fmt::format("{}", fmt::join(agents.config_maps, ", ")));
  line(out, "within",
       fmt::format("{} on the node, then {}", to_text(agents.schedule_within), to_text(agents.pull_within)));
}

std::string restart_text(const RestartPolicy& restart) {
  if (restart.when == RestartWhen::never) return "never";
  return fmt::format("{}, {} to {}, {} in {}: {}", word_of(restart_words, restart.when),
                     to_text(restart.delay), to_text(restart.max_delay),
                     restart.budget == 0 ? "no limit" : std::to_string(restart.budget),
                     to_text(restart.window), word_of(verdict_words, restart.verdict));
}

std::string user_text(const Service& service) {
  if (!service.uid) return "";
  return service.gid ? fmt::format("{}:{}", *service.uid, *service.gid) : std::to_string(*service.uid);
}

std::string value_text(const EnvValue& value) {
  return std::holds_alternative<Template>(value) ? base::json_string(to_text(value)) : to_text(value);
}

std::string enabled_text(const Service& service) {
  std::vector<std::string> conditions;
  for (const AnyOf& any : service.enabled_when) conditions.push_back(enabled_when_text(any));
  return fmt::format("{}", fmt::join(conditions, ", "));
}

void add_service(std::string& out, const Plan& plan, const Service& service) {
  out += fmt::format("\n{} {}{}{}{}\n", service.kind == Kind::task ? "task" : "service", service.name,
                     service.port == 0 ? "" : fmt::format(" :{}", service.port),
                     service.essential ? " essential" : "", service.enabled ? "" : " (not enabled)");
  line(out, "", service.description);
  line(out, "group", service.group_name);
  line(out, "command", command_line(service.command));
  line(out, "cwd", service.cwd);
  line(out, "after", fmt::format("{}", fmt::join(names(plan, service.after), ", ")));
  line(out, "bound_to", fmt::format("{}", fmt::join(names(plan, service.bound_to), ", ")));
  line(out, "after_tried", fmt::format("{}", fmt::join(names(plan, service.after_tried), ", ")));
  line(out, "enabled", enabled_text(service));
  line(out, "need", fmt::format("{}", fmt::join(texts(service.need), ", ")));
  line(out, "take", fmt::format("{}", fmt::join(texts(service.take), ", ")));
  for (const auto& [name, value] : service.env)
    line(out, "env", fmt::format("{}={}", name, value_text(value)));
  for (const CachedLogin& login : service.cached)
    line(out, "cached", fmt::format("{}: {}", login.key, fmt::join(login.files, ", ")));
  line(out, "limits", to_text(service.group));
  line(out, "user", user_text(service));
  line(out, "umask", service.umask == Service{}.umask ? "" : fmt::format("{:03o}", service.umask));
  line(out, "creates", service.creates.value_or(""));
  line(out, "verify", fmt::format("{}", fmt::join(service.verify, ", ")));
  for (const Condition& condition : service.ready) line(out, "ready", to_text(condition));
  if (!service.ready.empty() || service.kind == Kind::task)
    line(out, "within", to_text(service.ready_within));
  for (const Condition& condition : service.live) line(out, "live", to_text(condition));
  line(out, "restart", restart_text(service.restart));
  line(out, "on_change", service.on_change == OnChange::restart ? "" : change_text(service));
  line(out, "stop",
       fmt::format("{}, {} + {}", signal_name(service.stop.signal), to_text(service.stop.timeout),
                   to_text(service.stop.leftovers)));
}

}  // namespace

std::string to_text(const Plan& plan) {
  std::string out;
  add_pod(out, plan);
  add_agents(out, plan.agents);
  for (const Service& service : plan.services) add_service(out, plan, service);
  return out;
}

std::string to_text(const Template& text) {
  std::string out;
  for (const auto& part : text.parts) {
    if (const auto* reference = std::get_if<EnvReference>(&part)) {
      out += reference->fallback ? fmt::format("${{{}:-{}}}", reference->name, escaped(*reference->fallback))
                                 : fmt::format("${{{}}}", reference->name);
    } else {
      out += escaped(std::get<std::string>(part));
    }
  }
  return out;
}

std::string to_text(const EnvValue& value) {
  if (const auto* text = std::get_if<Template>(&value)) return to_text(*text);
  const auto& joined = std::get<Joined>(value);
  std::string items;
  for (const Template& item : joined.items) {
    items += items.empty() ? "" : ", ";
    items += base::json_string(to_text(item));
  }
  return fmt::format("{{ join = {}, of = [{}] }}", base::json_string(joined.separator), items);
}

std::vector<std::string> header_names(const HttpCheck& check) {
  std::vector<std::string> names;
  for (const auto& [name, value] : check.headers) names.push_back(name);
  return names;
}

std::string status_text(const std::vector<StatusRange>& ranges) {
  std::string out;
  for (const auto& [first, last] : ranges) {
    out += fmt::format("{}{}", out.empty() ? "" : ", ", first);
    if (last != first) out += fmt::format("-{}", last);
  }
  return out;
}

std::string to_text(Duration duration) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> units{
      {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
  std::string out;
  auto rest = duration.count();
  for (const auto& [name, milliseconds] : units) {
    if (rest >= milliseconds) out += fmt::format("{}{}", rest / milliseconds, name);
    rest %= milliseconds;
  }
  return out.empty() ? "0s" : out;
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::pair<std::string_view, int>, 4> units{
      {{"Ti", 40}, {"Gi", 30}, {"Mi", 20}, {"Ki", 10}}};
  for (const auto& [name, shift] : units) {
    const std::uint64_t unit = 1ULL << shift;
    if (bytes != 0 && bytes % unit == 0) return fmt::format("{}{}", bytes / unit, name);
  }
  return fmt::format("{} bytes", bytes);
}

std::string to_text(const GroupLimits& limits) {
  std::vector<std::string> parts;
  if (limits.memory_high) parts.push_back("memory_high " + size_text(*limits.memory_high));
  if (limits.memory_max) parts.push_back("memory_max " + size_text(*limits.memory_max));
  if (limits.pids_max) parts.push_back(fmt::format("pids_max {}", *limits.pids_max));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string to_text(const Condition& condition) {
  auto text = std::visit(Overloaded{
                             [](const HttpCheck& check) { return http_text(check); },
                             [](const TcpCheck& check) {
                               return fmt::format("tcp {}{}", address_text({check.address, check.port}),
                                                  listener_note(check.listener));
                             },
                             [](const SocketCheck& check) {
                               return fmt::format("socket {}{}", check.path, listener_note(check.listener));
                             },
                             [](const LogCheck& check) { return "log " + base::json_string(check.text); },
                             [](const NotifyCheck&) { return std::string{"notify"}; },
                             [](const ExecCheck& check) { return "exec " + command_line(check.command); },
                             [](const FileCheck& check) { return "file " + check.path; },
                         },
                         condition.check);
  if (condition.looked_at == LookedAt::while_ready) text += ", while ready";
  return condition.wait ? fmt::format("{}, dropped after {}", text, to_text(*condition.wait)) : text;
}

}  // namespace arizuko::plan
