#include "arizuko/host/supervisor/generated_values.hpp"

#include <utility>

#include "arizuko/host/state/generated_store.hpp"

namespace arizuko::host {

std::vector<plan::Generated> without_value(const plan::EnvPolicy& env, const env::Snapshot& snapshot) {
  std::vector<plan::Generated> open;
  for (const plan::Generated& each : env.generated) {
    if (!snapshot.has(each.key) && !snapshot.unusable.contains(each.key)) open.push_back(each);
  }
  return open;
}

void add_generated(const StateDir& state, const plan::EnvPolicy& env, ReadResult& result) {
  if (env.generated.empty()) return;
  const GeneratedStore store(state);
  const std::string source = plan::to_text(env.sources.front());
  const auto spoil = [&](const std::string& key, const std::string& why) {
    result.snapshot.values.erase(key);  // an empty one
    result.snapshot.unusable.insert_or_assign(key, why);
  };
  const auto report = [&](const std::string& key, const std::string& why) {
    result.problems.push_back({SourceProblem::Weight::notice, source, key, why});
  };
  const std::vector<plan::Generated> open = without_value(env, result.snapshot);
  if (const auto usable = store.look(); !usable) {
    if (!open.empty()) report("", usable.error());
    for (const plan::Generated& each : open) spoil(each.key, usable.error());
    return;
  }
  for (const plan::Generated& each : open) {
    auto value = store.read(each.key);
    if (!value) {
      report(each.key, value.error());
      spoil(each.key, value.error());
    } else if (*value) {
      result.snapshot.values.insert_or_assign(each.key, env::Value{std::move(**value), source});
    }
  }
}

}  // namespace arizuko::host
