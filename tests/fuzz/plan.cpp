// Whatever a plan file holds, loading it ends in a plan or in problems, never in a crash. What loads
// can be shown and explained, key by key; what it shows of a duration is read back; and with one more file
// that says nothing new it is the same plan.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "arizuko/plan/explain.hpp"
#include "arizuko/plan/load.hpp"
#include "arizuko/plan/show.hpp"

namespace {

using namespace arizuko::plan;

void require(bool held) {
  if (!held) std::abort();
}

std::optional<std::string> lookup(std::string_view name) {
  if (name == "SET") return "value";
  if (name == "DIR") return "/srv/data/x";
  if (name == "EMPTY") return "";
  return std::nullopt;
}

/// Each key that is explained comes from one of the files, or from the override.
void require_explained(const Plan& plan, const std::vector<File>& files,
                       const std::vector<Override>& overrides, const std::string& name) {
  const auto keys = explain(plan, files, overrides, name);
  require(keys && !keys->empty());
  const auto is_known = [&](const Origin& origin) {
    return origin.where.file.starts_with("--set ") ||
           std::ranges::find(files, origin.where.file, &File::path) != files.end();
  };
  for (const ExplainedKey& key : *keys) {
    require(is_known(key.origin) && (key.kind == ExplainedKey::Kind::list || key.values.size() == 1));
    for (const ExplainedValue& value : key.values) require(is_known(value.origin));
  }
}

/// A drop-in that keeps every list as it is, and a template that nothing is like.
void require_unmoved(const Plan& plan, std::vector<File> files, const std::vector<Override>& overrides) {
  if (files.size() + 1 >= most_files) return;
  std::string text = "[template.not-used-by-anybody]\n";
  if (!plan.services.empty() && plan.services[0].kind == Kind::service)
    text += "[service." + plan.services[0].name + "]\ncommand = [\"...\"]\n";
  files.push_back({"p.toml.d/b.toml", text});
  const auto again = load(files, overrides, lookup);
  if (!again) return;  // it may have 256 templates already
  require(again->services == plan.services && again->pod == plan.pod);
}

}  // namespace

/// The text up to a NUL is the plan; between this one and the next stands a drop-in, then the key and
/// the value of an override.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string rest(data, data + size);
  const auto next = [&rest] {
    const auto end = std::min(rest.find('\0'), rest.size());
    auto part = rest.substr(0, end);
    rest.erase(0, end + 1);
    return part;
  };
  std::vector<File> files{{"p.toml", next()}};
  std::vector<Override> overrides;
  if (!rest.empty()) files.push_back({"p.toml.d/a.toml", next()});
  if (!rest.empty()) overrides.push_back({next(), next()});
  static_cast<void>(early_sources(files, overrides, lookup));
  const auto plan = load(files, overrides, lookup);
  if (!plan) {
    require(any_error(plan.error()));
    for (const Problem& problem : plan.error()) require(!to_text(problem).empty());
    return 0;
  }
  require(!any_error(plan->warnings));
  require(!to_text(*plan).empty() && !to_json(*plan).empty());
  for (ServiceId id = 0; id < plan->services.size(); ++id) {
    const Service& service = plan->services[id];
    require(!service.command.empty() && plan->find(service.name) == id);
    for (const ServiceId before : service.after) require(before < id);
    for (const ServiceId before : service.after_tried) require(before < id);
  }
  if (!plan->services.empty()) require_explained(*plan, files, overrides, plan->services.back().name);
  require_unmoved(*plan, files, overrides);
  const std::string again = "[pod]\ngrace = \"" + to_text(plan->pod.grace) + "\"\n";
  const auto read_back = load({{"p", again}}, {}, lookup);
  require(read_back && read_back->pod.grace == plan->pod.grace);
  return 0;
}
