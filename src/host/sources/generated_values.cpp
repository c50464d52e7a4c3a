#include "arizuko/host/sources/generated_values.hpp"

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
  for (const plan::Generated& each : without_value(env, result.snapshot)) {
    auto value = store.read(each.key);
    if (!value) {
      result.problems.push_back({SourceProblem::Weight::notice, source, each.key, value.error()});
      result.snapshot.values.erase(each.key);  // an empty one
      result.snapshot.unusable.insert_or_assign(each.key, std::move(value.error()));
    } else if (*value) {
      result.snapshot.values.insert_or_assign(each.key, env::Value{std::move(**value), source});
    }
  }
}

}  // namespace arizuko::host
