// [pod] and [env].
#include <fmt/format.h>

#include <algorithm>

#include "draft.hpp"
#include "words.hpp"

namespace arizuko::plan {
namespace {

constexpr std::uint32_t least_generated_bytes = 16;
constexpr std::uint32_t most_generated_bytes = 1024;

Parsed<std::optional<Address>> parse_listener(std::string_view text) {
  if (text == "off") return std::nullopt;
  auto address = parse_address(text);
  if (!address) {
    address.error().fix += ", or \"off\"";
    return std::unexpected(std::move(address.error()));
  }
  return std::move(*address);
}

Parsed<std::string> parse_control(std::string_view text) {
  if (!text.starts_with('@')) return parse_socket_path(text);
  if (text.size() < 2 || text.size() - 1 > longest_socket_path_bytes) {
    return std::unexpected(Wrong{"is not the name of an abstract socket",
                                 fmt::format("write @ and 1 to {} bytes", longest_socket_path_bytes)});
  }
  return std::string{text};
}

/// A value that could not be read is replaced by one that no check stumbles over, so that one mistake
/// in [pod] is one problem.
void read_identity(const Reader& reader, Scope& scope, Pod& pod) {
  pod.instance = "demo";
  reader.value("instance", parse_instance, pod.instance);
  scope.instance = pod.instance;
  pod.data_dir = "/srv/data/arizuko_" + pod.instance;
  reader.value("data_dir", parse_data_dir, pod.data_dir);
  scope.data_dir = pod.data_dir;
}

std::vector<std::string> dirs_below(const Reader& reader, const Pod& pod) {
  const auto below = [&pod](std::string_view text) -> Parsed<std::string> {
    auto path = parse_path(text);
    if (path && !path->starts_with(pod.data_dir + "/")) {
      return std::unexpected(Wrong{"is not below the data directory", "begin it with ${pod.data_dir}/"});
    }
    return path;
  };
  return reader.parsed_list("make_dirs", below);
}

}  // namespace

void read_pod(const Node& root, Scope& scope, Draft& draft, Problems& problems) {
  const Entry* entry = root.find("pod");
  const Reader reader{entry == nullptr ? nullptr : &entry->value, "pod", scope, Variables::allowed, problems};
  Pod& pod = draft.plan.pod;
  read_identity(reader, scope, pod);
  pod.probes = Address{"0.0.0.0", 9090};
  pod.page = Address{"127.0.0.1", 9091};
  reader.value("probes", parse_listener, pod.probes);
  reader.value("page", parse_listener, pod.page);
  reader.path("run_dir", pod.run_dir);
  reader.value("control", parse_control, pod.control);
  reader.duration("grace", pod.grace);
  if (reader.find("log") != nullptr) {
    LogFormat format{};
    reader.choice("log", log_words, format);
    pod.log = format;
  }
  reader.path("termination_log", pod.termination_log);
  reader.value("path", parse_search_path, pod.path);
  scope.path = pod.path;
  reader.choice("control_groups", control_groups_words, pod.control_groups);
  pod.make_dirs = dirs_below(reader, pod);
  reader.value("umask", parse_umask, pod.umask);
  draft.ready_when = reader.list("ready_when");
}

void read_make_dirs(const ServiceDraft& draft, const Scope& scope, Pod& pod, Problems& problems) {
  const Reader reader{draft.table, draft.key, scope, Variables::refused, problems};
  for (std::string& directory : dirs_below(reader, pod)) {
    const bool known = std::ranges::find(pod.make_dirs, directory) != pod.make_dirs.end();
    if (!known && draft.service.enabled) pod.make_dirs.push_back(std::move(directory));
  }
}

Parsed<Source> parse_source(std::string_view text) {
  constexpr std::string_view dotenv = "dotenv:";
  constexpr std::string_view directory = "dir:";
  if (text == Source::environment_name) return Source{Source::Kind::environment, ""};
  const bool is_dotenv = text.starts_with(dotenv);
  if (!is_dotenv && !text.starts_with(directory)) {
    return std::unexpected(
        Wrong{"is not a source", "write \"environment\", \"dotenv:/path\" or \"dir:/path\""});
  }
  auto path = parse_path(text.substr(is_dotenv ? dotenv.size() : directory.size()));
  if (!path) return std::unexpected(std::move(path.error()));
  return Source{is_dotenv ? Source::Kind::dotenv : Source::Kind::directory, std::move(*path)};
}

namespace {

/// { source = "dotenv:/path", only = ["NAME"] }: whatever else stands there is not taken.
bool read_source_table(const Node& item, const Scope& scope, Problems& problems, Source& source) {
  const std::string key = "env.sources";
  const Reader reader{&item, key, scope, Variables::allowed, problems};
  const Reader names{&item, key, scope, Variables::refused, problems};
  bool right = true;
  for (const Entry& entry : item.entries) {
    if (entry.name == "source" || entry.name == "only") continue;
    reader.report(entry.where, key + "." + entry.name, "unknown key", "known are source, only");
    right = false;
  }
  const Node* text = reader.find("source");
  if (text == nullptr) {
    reader.report(item.where, key, "names no source",
                  "write { source = \"dotenv:/path\", only = [\"NAME\"] }");
    return false;
  }
  right = reader.parse_node(*text, key + ".source", parse_source, source) && right;
  if (reader.find("only") != nullptr) source.only = names.variables("only");
  return right;
}

std::vector<Source> read_env_sources(const Reader& reader, const Scope& scope, Problems& problems) {
  const Node* list = reader.find("sources");
  if (list == nullptr) return {{Source::Kind::environment, ""}};
  if (!reader.is(*list, Node::Kind::array, "env.sources", "a list: [\"environment\"]")) return {};
  if (list->items.size() > most_list_entries) {
    reader.report(list->where, "env.sources", fmt::format("has {} entries", list->items.size()),
                  fmt::format("a list can have {}", most_list_entries));
    return {};
  }
  std::vector<Source> sources;
  for (const Node& item : list->items) {
    Source source;
    if (item.kind == Node::Kind::table ? read_source_table(item, scope, problems, source)
                                       : reader.parse_node(item, "env.sources", parse_source, source))
      sources.push_back(std::move(source));
  }
  return sources;
}

/// NAME = { bytes = 32, encoding = "hex" }
bool read_generated_table(const Reader& env, const Node& node, const std::string& key, Generated& out) {
  const Reader reader = env.at(node, key);
  for (const Entry& entry : node.entries) {
    if (entry.name == "bytes" || entry.name == "encoding") continue;
    reader.report(entry.where, key + "." + entry.name, "unknown key", "known are bytes, encoding");
    return false;
  }
  reader.integer("bytes", least_generated_bytes, most_generated_bytes, out.bytes);
  reader.choice("encoding", encoding_words, out.encoding);
  return true;
}

/// NAME = true, false, or how it is made.
std::vector<Generated> read_generated(const Reader& reader) {
  std::vector<Generated> out;
  const Node* table = reader.find("generated");
  const std::string key = reader.key_of("generated");
  if (table == nullptr || !reader.is(*table, Node::Kind::table, key, "a table: { NAME = true }")) return out;
  if (table->entries.size() > most_list_entries) {
    reader.report(table->where, key, fmt::format("has {} entries", table->entries.size()),
                  fmt::format("at most {} values are generated", most_list_entries));
    return out;
  }
  for (const Entry& entry : table->entries) {
    const std::string inner = key + "." + entry.name;
    if (const auto name = parse_variable(entry.name); !name) {
      reader.wrong(entry.where, inner, entry.name, name.error());
      continue;
    }
    Generated generated{entry.name};
    const bool is_table = entry.value.kind == Node::Kind::table;
    if (!is_table && entry.value.kind != Node::Kind::boolean) {
      reader.report(entry.value.where, inner,
                    fmt::format("must be a boolean or a table, not {}", kind_name(entry.value.kind)),
                    "write true, false or { bytes = 32, encoding = \"base64\" }");
    } else if (is_table ? read_generated_table(reader, entry.value, inner, generated) : entry.value.boolean) {
      out.push_back(std::move(generated));
    }
  }
  return out;
}

/// The weakest source, of these keys and no other.
Source source_of(const std::vector<Generated>& generated, const Pod& pod) {
  std::vector<std::string> keys;
  for (const Generated& each : generated) keys.push_back(each.key);
  return {Source::Kind::generated, pod.data_dir + "/.arizuko-init/generated", std::move(keys)};
}

}  // namespace

EnvPolicy read_env(const Node& root, const Pod& pod, const Scope& scope, Problems& problems) {
  const Entry* entry = root.find("env");
  const Node* table = entry == nullptr ? nullptr : &entry->value;
  const Reader reader{table, "env", scope, Variables::allowed, problems};
  const Reader names{table, "env", scope, Variables::refused, problems};
  EnvPolicy env;
  env.sources = read_env_sources(reader, scope, problems);
  env.common = names.variables("common");
  env.guarded = names.variables("guarded");
  env.generated = read_generated(names);
  if (!env.generated.empty()) env.sources.insert(env.sources.begin(), source_of(env.generated, pod));
  return env;
}

}  // namespace arizuko::plan
