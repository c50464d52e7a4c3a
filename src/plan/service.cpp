// [service.NAME] and [task.NAME].
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "arizuko/base/nearest.hpp"
#include "arizuko/plan/show.hpp"
#include "draft.hpp"
#include "words.hpp"

namespace arizuko::plan {
namespace {

constexpr std::size_t most_cached_files = 16;

constexpr std::uint64_t least_nofile = 16;
constexpr std::uint64_t most_nofile = 1'073'741'816;  // what fs.nr_open can be raised to: fs/file.c

constexpr std::uint64_t most_pids = 4'194'304;  // PID_MAX_LIMIT: include/linux/threads.h

struct Change {
  OnChange what = OnChange::restart;
  int signal = 0;
};

Parsed<Change> parse_change(std::string_view text) {
  constexpr std::string_view prefix = "signal:";
  if (text == "restart") return Change{};
  if (text == "ignore") return Change{OnChange::ignore, 0};
  if (!text.starts_with(prefix)) {
    return std::unexpected(Wrong{"is not known here", "write \"restart\", \"signal:HUP\" or \"ignore\""});
  }
  auto signal = parse_signal(text.substr(prefix.size()));
  if (!signal) return std::unexpected(std::move(signal.error()));
  return Change{OnChange::signal, *signal};
}

void read_command(const Reader& reader, const ServiceDraft& draft, const Scope& scope, Service& service) {
  const Node* node = reader.find("command");
  if (node == nullptr) {
    std::vector<std::string_view> others;
    for (const auto& [name, port] : scope.ports) {
      if (name != service.name) others.push_back(name);
    }
    const auto meant = base::nearest(service.name, others);
    return reader.report(
        service.where, reader.key_of("command"), "is missing",
        meant ? fmt::format("add command = [\"{}\"], or did you mean \"{}\"?", service.name, *meant)
              : fmt::format("add command = [\"{}\"]", service.name));
  }
  service.command = reader.strings_of(*node, draft.key + ".command");
  const bool empty_list = node->kind == Node::Kind::array && node->items.empty();
  if (empty_list || (!service.command.empty() && service.command.front().empty())) {
    reader.report(node->where, draft.key + ".command", "names no program",
                  fmt::format("write [\"{}\"]", service.name));
  }
}

void read_restart(const Reader& reader, Service& service) {
  RestartPolicy& restart = service.restart;
  if (service.kind == Kind::task) restart.when = RestartWhen::never;
  if (service.essential) restart.verdict = Verdict::end_pod;
  reader.choice("when", restart_words, restart.when);
  reader.duration("delay", restart.delay);
  reader.duration("max_delay", restart.max_delay);
  reader.real("factor", 1.0, 10.0, restart.factor);
  reader.real("jitter", 0.0, 0.5, restart.jitter);
  reader.duration("stable", restart.stable);
  reader.integer("budget", 0u, 1000u, restart.budget);
  reader.duration("window", restart.window, Duration{1});
  reader.choice("verdict", verdict_words, restart.verdict);
  if (service.kind == Kind::task && restart.when == RestartWhen::always) {
    reader.report(reader.find("when")->where, reader.key_of("when"), "would start a task again that is done",
                  "write \"on-failure\" or \"never\", or make it a service");
  }
  if (restart.delay > restart.max_delay) {
    const Node* node = reader.find("delay") != nullptr ? reader.find("delay") : reader.find("max_delay");
    reader.report(node->where, reader.key_of("delay"), "is longer than max_delay", "raise max_delay");
  }
}

void read_stop(const Reader& reader, StopPolicy& stop) {
  reader.value("signal", parse_signal, stop.signal);
  reader.duration("timeout", stop.timeout);
  reader.duration("leftovers", stop.leftovers);
}

void read_group_limits(const Reader& reader, GroupLimits& limits) {
  reader.value("memory_high", parse_size, limits.memory_high);
  reader.value("memory_max", parse_size, limits.memory_max);
  if (reader.find("pids_max") != nullptr) {
    std::uint64_t most = 0;
    reader.integer("pids_max", std::uint64_t{1}, most_pids, most);
    if (most != 0) limits.pids_max = most;
  }
  if (limits.memory_high && limits.memory_max && *limits.memory_high > *limits.memory_max) {
    reader.report(reader.find("memory_high")->where, reader.key_of("memory_high"),
                  "is above memory_max, so that it is never reached",
                  fmt::format("write less than {}", size_text(*limits.memory_max)));
  }
}

// KEY = [files]: what a daemon keeps of a login made with that value.
void read_cached(const Reader& reader, const Pod& pod, Service& service) {
  const Node* table = reader.find("cached");
  if (table == nullptr) return;
  const std::string key = reader.key_of("cached");
  if (!reader.is(*table, Node::Kind::table, key, "a table: { NAME = [\"${pod.data_dir}/file\"] }")) return;
  for (const Entry& entry : table->entries) {
    const std::string inner = key + "." + entry.name;
    if (const auto name = parse_variable(entry.name); !name) {
      reader.wrong(entry.where, inner, entry.name, name.error());
      continue;
    }
    if (!reader.is(entry.value, Node::Kind::array, inner, "a list: [\"${pod.data_dir}/file\"]")) continue;
    if (entry.value.items.size() > most_cached_files) {
      reader.report(entry.value.where, inner, fmt::format("has {} entries", entry.value.items.size()),
                    fmt::format("a login can have {} files", most_cached_files));
      continue;
    }
    CachedLogin login{key_given_as(entry.name, service), {}};
    for (const Node& item : entry.value.items) {
      std::string file;
      if (!reader.parse_node(item, inner, parse_path, file)) continue;
      if (file.starts_with(pod.data_dir + "/")) {
        login.files.push_back(std::move(file));
      } else {
        reader.wrong(item.where, inner, item.text,
                     Wrong{"is not below the data directory", "begin it with ${pod.data_dir}/"});
      }
    }
    service.cached.push_back(std::move(login));
  }
}

void read_looks(const Reader& reader, const std::string& key, Service& service) {
  const Reader ready = reader.table("ready");
  service.ready = read_conditions(ready, Look::ready);
  ready.duration("within", service.ready_within, Duration{1});
  const Node* table = reader.find("ready");
  if (table != nullptr && table->kind == Node::Kind::table && !names_condition(ready)) {
    reader.warn(table->where, reader.key_of("ready"), "holds no condition: ready as soon as it is spawned",
                "write http, tcp, socket, log, notify, exec or file");
  }
  const Reader live = reader.table("live");
  service.live = read_conditions(live, Look::live);
  if (const Node* within = live.find("within")) {
    live.report(within->where, live.key_of("within"), "unknown key",
                fmt::format("it is a key of [{}.ready]", key));
  }
}

void read_task(const Reader& reader, Service& service) {
  service.ready_within = std::chrono::minutes{5};
  reader.duration("within", service.ready_within, Duration{1});
  if (reader.find("creates") != nullptr) {
    std::string path;
    reader.path("creates", path);
    service.creates = std::move(path);
  }
  service.verify = reader.parsed_list("verify", parse_path);
}

void list_table(const Node& root, Kind kind, std::vector<ServiceDraft>& out) {
  const std::string table = kind == Kind::task ? "task" : "service";
  const Entry* entry = root.find(table);
  if (entry == nullptr) return;
  for (const Entry& unit : entry->value.entries) {
    if (unit.value.kind != Node::Kind::table) continue;  // keys.cpp has said so
    ServiceDraft draft;
    draft.service.name = unit.name;
    draft.service.kind = kind;
    draft.service.where = unit.where;
    draft.key = table + "." + unit.name;
    draft.file = unit.file;
    draft.table = &unit.value;
    out.push_back(std::move(draft));
  }
}

void refuse_twins(const std::vector<ServiceDraft>& drafts, Problems& problems) {
  std::map<std::string_view, const ServiceDraft*> seen;
  for (const ServiceDraft& draft : drafts) {
    const auto [first, fresh] = seen.emplace(draft.service.name, &draft);
    if (fresh) continue;
    const Location& where = first->second->service.where;
    problems.push_back(
        {Severity::error, draft.service.where, draft.key,
         fmt::format("the name {} is used twice, first by {} at {}:{}:{}", quoted(draft.service.name),
                     first->second->key, where.file, where.line, where.column),
         "rename one: names are unique over services and tasks"});
  }
}

}  // namespace

std::vector<ServiceDraft> list_services(const Node& root, Scope& scope, Problems& problems) {
  std::vector<ServiceDraft> drafts;
  list_table(root, Kind::task, drafts);
  list_table(root, Kind::service, drafts);
  std::ranges::sort(drafts, [](const ServiceDraft& a, const ServiceDraft& b) {
    return std::tie(a.file, a.service.where.line, a.service.where.column) <
           std::tie(b.file, b.service.where.line, b.service.where.column);
  });
  if (drafts.size() > most_services) {
    problems.push_back({Severity::error, drafts[most_services].service.where, drafts[most_services].key,
                        fmt::format("is one of {} services and tasks", drafts.size()),
                        fmt::format("a plan can have {}", most_services)});
    drafts.resize(most_services);
  }
  refuse_twins(drafts, problems);
  for (ServiceDraft& draft : drafts) {
    Service& service = draft.service;
    if (const auto name = parse_service_name(service.name); !name) {
      problems.push_back({Severity::error, service.where, draft.key,
                          quoted(service.name) + " " + name.error().what, name.error().fix});
    }
    const Reader reader{draft.table, draft.key, scope, Variables::refused, problems};
    reader.integer("port", std::uint16_t{1}, std::uint16_t{65535}, service.port);
    scope.ports.emplace(service.name, service.port);
  }
  return drafts;
}

// An empty text is part of every line.
void read_drop(const Reader& reader, Service& service) {
  service.drop = reader.strings("drop");
  const auto empty = std::ranges::find_if(service.drop, &std::string::empty);
  if (empty == service.drop.end()) return;
  const Node* list = reader.find("drop");
  const auto index = static_cast<std::size_t>(empty - service.drop.begin());
  const Location where = index < list->items.size() ? list->items[index].where : list->where;
  reader.report(where, reader.key_of("drop"), "is empty, and so would drop every line of the log",
                "write a part of the lines that are meant, or take it out");
}

void read_service(ServiceDraft& draft, const Pod& pod, const Scope& scope, Problems& problems) {
  const Reader reader{draft.table, draft.key, scope, Variables::refused, problems};
  Service& service = draft.service;
  reader.text("description", service.description);
  read_command(reader, draft, scope, service);
  service.cwd = pod.data_dir + "/.arizuko-init/cwd";
  reader.path("cwd", service.cwd);
  reader.boolean("enabled", service.enabled);
  reader.value("group", parse_service_name, service.group_name);
  read_values(reader, service);
  service.essential = service.kind == Kind::task;
  reader.boolean("essential", service.essential);
  Change change;
  reader.value("on_change", parse_change, change);
  service.on_change = change.what;
  service.change_signal = change.signal;
  read_drop(reader, service);
  reader.integer("nofile", least_nofile, most_nofile, service.nofile);
  read_group_limits(reader, service.group);
  if (User user; reader.find("user") != nullptr) {
    reader.value("user", parse_user, user);
    service.uid = user.uid;
    service.gid = user.gid;
  }
  service.umask = pod.umask;
  reader.value("umask", parse_umask, service.umask);
  if (service.kind == Kind::task) {
    read_task(reader, service);
  } else {
    read_looks(reader, draft.key, service);
    read_cached(reader, pod, service);
  }
  read_restart(reader.table("restart"), service);
  read_stop(reader.table("stop"), service.stop);
}

}  // namespace arizuko::plan
