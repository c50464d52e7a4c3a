// The plan as JSON, in the plan's own words and units, and the pieces that it shares with the text.
#include "listing.hpp"

#include <fmt/format.h>

#include <concepts>

#include "arizuko/plan/show.hpp"
#include "json.hpp"
#include "values.hpp"
#include "words.hpp"

namespace arizuko::plan {
namespace {

std::string condition_text(const EnabledWhen& when) {
  return when.value ? when.name + "=" + *when.value : when.name;
}

void add_listener(JsonWriter& json, std::string_view name, const std::optional<Address>& address) {
  json.field(name, address ? address_text(*address) : std::string{"off"});
}

/// The check itself, in the table form of docs/reference/plan.md.
struct CheckWriter {
  JsonWriter& json;

  void operator()(const HttpCheck& check) const {
    json.field("type", "http").field("url", check.url).field("contains", to_text(check.contains));
    json.field("listener", word_of(listener_words, check.listener));
    if (!check.of.empty()) json.field("of", check.of);
    json.field("method", word_of(method_words, check.method)).field("status", status_text(check.status));
    if (!check.headers.empty()) json.field("headers", header_names(check));
  }
  void operator()(const TcpCheck& check) const {
    json.field("type", "tcp").field("address", address_text({check.address, check.port}));
    json.field("listener", word_of(listener_words, check.listener));
  }
  void operator()(const SocketCheck& check) const {
    json.field("type", "socket").field("path", check.path);
    json.field("listener", word_of(listener_words, check.listener));
  }
  void operator()(const LogCheck& check) const { json.field("type", "log").field("contains", check.text); }
  void operator()(const NotifyCheck&) const { json.field("type", "notify"); }
  void operator()(const ExecCheck& check) const {
    json.field("type", "exec").field("command", check.command);
  }
  void operator()(const FileCheck& check) const { json.field("type", "file").field("path", check.path); }
};

void add_conditions(JsonWriter& json, std::string_view name, const std::vector<Condition>& conditions) {
  json.key(name).open('[');
  for (const Condition& condition : conditions) {
    json.open('{');
    std::visit(CheckWriter{json}, condition.check);
    json.field("every", to_text(condition.every)).field("timeout", to_text(condition.timeout));
    json.field("failures", condition.failures);
    if (condition.wait) json.field("wait", to_text(*condition.wait));
    if (condition.looked_at == LookedAt::while_ready)
      json.field("while", word_of(looked_at_words, condition.looked_at));
    json.close('}');
  }
  json.close(']');
}

void add_pod(JsonWriter& json, const Plan& plan) {
  const Pod& pod = plan.pod;
  json.key("pod").open('{').field("instance", pod.instance).field("data_dir", pod.data_dir);
  add_listener(json, "probes", pod.probes);
  add_listener(json, "page", pod.page);
  json.field("run_dir", pod.run_dir).field("control", pod.control);
  json.field("ready_when", names(plan, pod.ready_when)).field("grace", to_text(pod.grace));
  json.field("log", pod.log ? word_of(log_words, *pod.log) : std::string_view{""});
  json.field("termination_log", pod.termination_log)
      .field("path", pod.path)
      .field("control_groups", word_of(control_groups_words, pod.control_groups))
      .field("make_dirs", pod.make_dirs)
      .field("umask", fmt::format("{:03o}", pod.umask));
  json.close('}');
}

void add_amounts(JsonWriter& json, std::string_view key,
                 const std::vector<std::pair<std::string, std::string>>& amounts) {
  json.key(key).open('{');
  for (const auto& [name, amount] : amounts) json.field(name, amount);
  json.close('}');
}

void add_agents(JsonWriter& json, const AgentPolicy& agents) {
  json.key("agents").open('{');
  json.field("image_pull_secrets", agents.image_pull_secrets);
  json.field("service_account", agents.service_account);
  json.field("runtime_class", agents.runtime_class);
  json.field("tolerations", agents.tolerations);
  add_amounts(json, "requests", agents.requests);
  add_amounts(json, "limits", agents.limits);
  json.field("secrets", agents.secrets);
  json.field("config_maps", agents.config_maps);
  json.field("schedule_within", to_text(agents.schedule_within));
  json.field("pull_within", to_text(agents.pull_within));
  json.close('}');
}

void add_generated(JsonWriter& json, const EnvPolicy& env) {
  if (env.generated.empty()) return;
  json.key("generated").open('{');
  for (const Generated& each : env.generated) {
    json.key(each.key).open('{').field("bytes", each.bytes);
    json.field("encoding", word_of(encoding_words, each.encoding)).close('}');
  }
  json.close('}');
}

void add_env(JsonWriter& json, const EnvPolicy& env) {
  std::vector<std::string> sources;
  for (const Source& source : env.sources) sources.push_back(with_names(source));
  json.key("env")
      .open('{')
      .field("sources", sources)
      .field("common", env.common)
      .field("guarded", env.guarded);
  add_generated(json, env);
  json.close('}');
}

void add_group_limits(JsonWriter& json, const GroupLimits& limits) {
  json.key("memory_high");
  limits.memory_high ? json.value(size_text(*limits.memory_high)) : json.null();
  json.key("memory_max");
  limits.memory_max ? json.value(size_text(*limits.memory_max)) : json.null();
  json.key("pids_max");
  limits.pids_max ? json.value(*limits.pids_max) : json.null();
}

void add_policies(JsonWriter& json, const Service& service) {
  const RestartPolicy& restart = service.restart;
  json.key("restart").open('{').field("when", word_of(restart_words, restart.when));
  json.field("delay", to_text(restart.delay)).field("max_delay", to_text(restart.max_delay));
  json.field("factor", restart.factor)
      .field("jitter", restart.jitter)
      .field("stable", to_text(restart.stable));
  json.field("budget", restart.budget).field("window", to_text(restart.window));
  json.field("verdict", word_of(verdict_words, restart.verdict)).close('}');
  json.key("stop").open('{').field("signal", signal_name(service.stop.signal));
  json.field("timeout", to_text(service.stop.timeout))
      .field("leftovers", to_text(service.stop.leftovers))
      .close('}');
}

/// As in the plan: a list in the list is one of which one must be met.
void add_enabled_when(JsonWriter& json, const Service& service) {
  json.key("enabled_when").open('[');
  for (const AnyOf& any : service.enabled_when) {
    if (any.size() > 1) json.open('[');
    for (const EnabledWhen& when : any) json.value(condition_text(when));
    if (any.size() > 1) json.close(']');
  }
  json.close(']');
}

void add_value(JsonWriter& json, const std::string& name, const EnvValue& value) {
  if (const auto* text = std::get_if<Template>(&value)) {
    json.field(name, to_text(*text));
    return;
  }
  const auto& joined = std::get<Joined>(value);
  std::vector<std::string> items;
  for (const Template& item : joined.items) items.push_back(to_text(item));
  json.key(name).open('{').field("join", joined.separator).field("of", items).close('}');
}

void add_service(JsonWriter& json, const Plan& plan, const Service& service) {
  json.open('{').field("name", service.name).field("kind", service.kind == Kind::task ? "task" : "service");
  json.field("description", service.description).key("group");
  service.group_name.empty() ? json.null() : json.value(service.group_name);
  json.field("command", service.command);
  if (!service.executable.empty()) json.field("executable", service.executable);
  json.field("cwd", service.cwd).key("port");
  service.port == 0 ? json.null() : json.value(service.port);
  json.field("after", names(plan, service.after)).field("bound_to", names(plan, service.bound_to));
  json.field("after_tried", names(plan, service.after_tried));
  json.field("enabled", service.enabled);
  add_enabled_when(json, service);
  json.field("take", texts(service.take)).field("need", texts(service.need));
  json.key("cached").open('{');
  for (const CachedLogin& login : service.cached) json.field(login.key, login.files);
  json.close('}');
  json.key("env").open('{');
  for (const auto& [name, value] : service.env) add_value(json, name, value);
  json.close('}').field("essential", service.essential).field("on_change", change_text(service));
  json.field("drop", service.drop).key("nofile");
  service.nofile == 0 ? json.null() : json.value(service.nofile);
  add_group_limits(json, service.group);
  json.key("user");
  service.uid
      ? json.value(std::to_string(*service.uid) + (service.gid ? fmt::format(":{}", *service.gid) : ""))
      : json.null();
  json.field("umask", fmt::format("{:03o}", service.umask));
  add_conditions(json, "ready", service.ready);
  json.field("within", to_text(service.ready_within));
  add_conditions(json, "live", service.live);
  if (service.kind == Kind::task) {
    json.key("creates");
    service.creates ? json.value(*service.creates) : json.null();
    json.field("verify", service.verify);
  }
  add_policies(json, service);
  json.close('}');
}

}  // namespace

std::vector<std::string> names(const Plan& plan, const std::vector<ServiceId>& ids) {
  std::vector<std::string> out;
  for (const ServiceId id : ids) out.push_back(plan.services[id].name);
  return out;
}

std::string address_text(const Address& address) {
  return address.ip.find(':') == std::string::npos ? fmt::format("{}:{}", address.ip, address.port)
                                                   : fmt::format("[{}]:{}", address.ip, address.port);
}

std::string with_names(const Source& source) {
  if (!source.only) return to_text(source);
  return fmt::format("{} (only {})", to_text(source), fmt::join(*source.only, ", "));
}

std::string change_text(const Service& service) {
  switch (service.on_change) {
    case OnChange::restart: return "restart";
    case OnChange::signal: return fmt::format("signal:{}", signal_name(service.change_signal));
    case OnChange::ignore: return "ignore";
  }
  return "";
}

std::string enabled_when_text(const AnyOf& any) {
  std::vector<std::string> conditions;
  for (const EnabledWhen& when : any) conditions.push_back(condition_text(when));
  return fmt::format("{}{}", any.size() > 1 ? "any of " : "", fmt::join(conditions, " or "));
}

std::vector<std::string> texts(const std::vector<Taken>& list) {
  std::vector<std::string> out;
  for (const Taken& taken : list) out.push_back(to_text(taken));
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const bool opens = text.starts_with("${");
    out += opens ? "$${" : std::string{text.front()};
    text.remove_prefix(opens ? 2 : 1);
  }
  return out;
}

std::string to_json(const Plan& plan, const std::vector<std::string>& files) {
  JsonWriter json;
  json.open('{');
  if (!files.empty()) json.field("files", files);
  add_pod(json, plan);
  add_env(json, plan.env);
  if (plan.agents != AgentPolicy{}) add_agents(json, plan.agents);
  json.key("services").open('[');
  for (const Service& service : plan.services) add_service(json, plan, service);
  json.close(']').key("warnings").open('[');
  for (const Problem& warning : plan.warnings) json.value(to_text(warning));
  json.close(']').close('}');
  return json.take() + "\n";
}

}  // namespace arizuko::plan
