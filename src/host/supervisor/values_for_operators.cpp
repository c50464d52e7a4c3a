// What operators see of values, and what they may ask for.
#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "arizuko/env/scope.hpp"
#include "values.hpp"

namespace arizuko::host {

namespace {

/// Why it can be neither accepted nor tried again.
std::string not_held(const engine::View& view, std::string_view key) {
  std::string names;
  for (const engine::HeldKeyView& each : view.values.held_keys) {
    if (each.key == key) return fmt::format("{} is held back: {}. {}", key, each.reason, each.remedy);
    names += (names.empty() ? "" : ", ") + each.key;
  }
  return fmt::format("{} is not held back; {}", key,
                     names.empty() ? "nothing is" : fmt::format("held back: {}", names));
}

}  // namespace

std::vector<KeyFacts> Values::keys() const {
  const env::SnapshotPtr& in_force = context_.engine.values();
  const plan::Plan& plan = *context_.engine.plan();
  std::map<std::string, KeyFacts> keys;
  const auto facts_of = [&](const std::string& key) -> KeyFacts& {
    KeyFacts& facts = keys[key];
    facts.name = key;
    return facts;
  };
  for (const plan::Service& each : plan.services) {
    for (const std::string& key : env::scope(plan, each)) facts_of(key).taken_by.push_back(each.name);
  }
  for (const std::string& key : plan.env.guarded) {
    KeyFacts& facts = facts_of(key);
    facts.guarded = true;
    facts.fingerprint = guarded_ ? guarded_->digits(key) : "";
  }
  std::vector<KeyFacts> list;
  for (auto& [key, facts] : keys) {
    if (in_force) {
      const auto value = in_force->values.find(key);
      if (value != in_force->values.end()) {
        facts.source = value->second.source;
        facts.since = ages_.since(key);
      }
    }
    list.push_back(std::move(facts));
  }
  return list;
}

CommandResult Values::retry(std::optional<std::string> key, std::string by) {
  const engine::View& view = context_.engine.view();
  if (view.state == engine::PodState::stopping)
    return {false, "the pod is stopping: nothing is taken any more"};
  const auto wanted = [&](const engine::HeldKeyView& each) {
    return (!key || *key == each.key) && !engine::can_be_accepted(each.why) && !each.blocks;
  };
  if (std::ranges::none_of(view.values.held_keys, wanted)) {
    return {false,
            key ? not_held(view, *key)
                : "nothing is held back that could be tried again; what is, `arizuko-init secrets` shows"};
  }
  context_.inbox.push(engine::Retry{std::move(key), context_.washed(std::move(by))});
  return {true, "it is tried again: `arizuko-init secrets` shows what follows"};
}

CommandResult Values::accept(std::string_view key, std::string by) {
  const engine::View& view = context_.engine.view();
  if (view.state == engine::PodState::stopping)
    return {false, "the pod is stopping: nothing is taken any more"};
  const auto is_it = [&](const engine::HeldKeyView& each) {
    return each.key == key && engine::can_be_accepted(each.why);
  };
  if (std::ranges::none_of(view.values.held_keys, is_it)) return {false, not_held(view, key)};
  context_.inbox.push(engine::Accept{std::string(key), context_.washed(std::move(by))});
  if (!context_.inbox.all_is_done())
    return {true, fmt::format("{}: asked for; what happened before is carried out first", key)};
  if (std::ranges::any_of(view.values.held_keys, is_it))
    return {false, fmt::format("{} is still held back: its source changed meanwhile; look again", key)};
  // A full volume is better known now than at the next start, which would hold the value back again.
  if (const auto written = guarded_->write_now(); !written) {
    return {true,
            fmt::format("{} is accepted for this run, but that cannot be written down ({}): a start before "
                        "that succeeds holds it back again. It is tried again by itself: "
                        "`arizuko-init events` says when it is done",
                        key, written.error())};
  }
  return {true, fmt::format("{} is accepted: `arizuko-init secrets` shows what follows", key)};
}

}  // namespace arizuko::host
