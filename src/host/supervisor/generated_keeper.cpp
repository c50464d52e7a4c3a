#include "generated_keeper.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arizuko/env/scope.hpp"
#include "arizuko/host/supervisor/generated_values.hpp"
#include "earlier_runs.hpp"

namespace arizuko::host {

namespace {

/// The guarded key that services see this one's value as: itself, as a rule.
std::optional<std::string> guarded_as(const plan::Plan& plan, const std::string& key) {
  for (const std::string& guarded : plan.env.guarded) {
    const std::vector<std::string> parts = env::made_of(plan, guarded);
    if (std::ranges::find(parts, key) != parts.end()) return guarded;
  }
  return std::nullopt;
}

}  // namespace

std::expected<void, std::string> GeneratedKeeper::make(const plan::Plan& plan,
                                                       const std::vector<plan::Generated>& keys,
                                                       const GuardedStore& guarded, env::Snapshot& snapshot) {
  store_.close_to_others(plan.env);
  std::vector<std::string> made;
  for (const plan::Generated& what : without_value(plan.env, snapshot)) {
    if (std::ranges::find(keys, what) == keys.end() || !may_be_made(plan, what, guarded)) continue;
    auto value = store_.make(what);
    if (!value) {
      return std::unexpected(fmt::format("cannot generate {}: {}, or set {} in one of the sources of [env]",
                                         what.key, value.error(), what.key));
    }
    snapshot.values.insert_or_assign(what.key,
                                     env::Value{std::move(*value), plan::to_text(plan.env.sources.front())});
    made.push_back(what.key);
  }
  if (made.empty()) return {};
  context_.inbox.push(
      engine::Remark{engine::Remark::Tone::info,
                     context_.washed(fmt::format("generated, because no source has a value: {}; kept in {}",
                                                 fmt::join(made, ", "), plan.env.sources.front().path))});
  return {};
}

bool GeneratedKeeper::may_be_made(const plan::Plan& plan, const plan::Generated& what,
                                  const GuardedStore& guarded) {
  const std::optional<std::string> as = guarded_as(plan, what.key);
  if (!as) return true;
  if (!guarded.digits(*as).empty()) {
    warn(fmt::format(
        "{0} was generated or set in an earlier run, and is gone: no other one is made, for what was stored "
        "under it could not be read any more. Restore {1} from a backup, or set {0} again; to go on with a "
        "new one, set that and `arizuko-init secrets accept {2}`",
        what.key, store_.path(what.key), *as));
    return false;
  }
  if (!has_data_of_earlier_runs(plan, context_.marks)) return true;
  warn(fmt::format("{} stays unset: it is guarded, and this instance has data that was stored without it",
                   what.key));
  return false;
}

void GeneratedKeeper::add(const plan::Plan& plan, const env::Snapshot& before, ReadResult& read) {
  if (plan.env.generated.empty()) return;
  add_generated(context_.state, plan.env, read);
  env::Snapshot& snapshot = read.snapshot;
  const std::string source = plan::to_text(plan.env.sources.front());
  for (const plan::Generated& each : without_value(plan.env, snapshot)) {
    const auto value = before.values.find(each.key);
    if (value == before.values.end() || value->second.source != source) continue;
    put_back(each.key, value->second);
    snapshot.values.insert_or_assign(each.key, value->second);
  }
}

void GeneratedKeeper::put_back(const std::string& key, const env::Value& value) {
  const auto kept = store_.keep(key, value.text);
  if (kept) {
    context_.inbox.push(engine::Remark{
        engine::Remark::Tone::warning,
        context_.washed(fmt::format(
            "{} was taken away or emptied: its value is still used, and written again", store_.path(key)))});
    return;
  }
  warn(fmt::format(
      "{} was taken away or emptied, and could not be written again ({}): its value is used until "
      "the end of this run, and is then lost",
      store_.path(key), kept.error()));
}

// Once: what stays wrong is found again at each reading.
void GeneratedKeeper::warn(const std::string& text) {
  constexpr std::size_t most_told = 256;
  if (told_.size() >= most_told) told_.clear();
  if (!told_.insert(text).second) return;
  context_.inbox.push(engine::Remark{engine::Remark::Tone::warning, context_.washed(text)});
}

}  // namespace arizuko::host
