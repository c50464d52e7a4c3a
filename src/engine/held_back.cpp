#include "held_back.hpp"

#include <utility>

#include "arizuko/env/scope.hpp"
#include "values_text.hpp"

namespace arizuko::engine {

env::SnapshotPtr HeldBack::take(const EnvironmentChanged& offer, const env::Snapshot& in_force,
                                const std::vector<ServiceId>& running, RotatedServices& services) {
  failed_.offered(*offer.snapshot);
  if (offer.asked) failed_.release(std::nullopt);
  Sifted sifted = sift(offer, {.plan = services.plan(),
                               .in_force = in_force,
                               .held = held_,
                               .failed = failed_,
                               .guarded = guarded_,
                               .running = running,
                               .now = services.now()});
  replace(std::move(sifted.held), in_force, Failures::known, services);
  return sifted.taken;
}

void HeldBack::blame(const std::set<std::string>& keys, const std::string& reason,
                     const env::Snapshot& failed, const env::Snapshot& in_force, RotatedServices& services) {
  HeldValues held = held_;
  for (const std::string& key : keys) {
    failed_.add(key, failed, reason, services.now());
    const std::optional<std::string> wanted = text_of(failed, key);
    const FailedValues::Entry& entry = *failed_.holding(key, wanted);
    held[key] = {HeldWhy::failed, "", reason, wanted, entry.generation, entry.since};
  }
  replace(std::move(held), in_force, Failures::news, services);
}

// People are told of what was not held back before, or for another reason.
void HeldBack::replace(HeldValues held, const env::Snapshot& in_force, Failures failures,
                       RotatedServices& services) {
  for (const auto& [key, value] : held) {
    const auto known = held_.find(key);
    const bool told = known != held_.end() && is_same(known->second, value);
    const FailedValues::Entry* entry = failed_.holding(key, value.wanted);
    const bool failed_again =
        failures == Failures::news && value.why == HeldWhy::failed && entry != nullptr && entry->failures > 1;
    if (told && !failed_again) continue;
    const std::string remedy = remedy_text(key, value.why, entry, services.now());
    services.note({.what = What::value_held_back, .cause = held_text(key, value, in_force, remedy)});
  }
  held_ = std::move(held);
}

bool HeldBack::accept(const std::string& key) {
  const auto held = held_.find(key);
  if (held == held_.end() || !can_be_accepted(held->second.why)) return false;
  guarded_.accept(key, held->second.wanted);
  return true;
}

std::vector<std::string> HeldBack::retry(const std::optional<std::string>& key) {
  std::vector<std::string> keys = failed_.release(key);
  if (keys.empty() && key && held_.contains(*key)) keys.push_back(*key);
  return keys;
}

std::vector<HeldKeyView> HeldBack::view(const plan::Plan& plan, const ValuesInForce& values,
                                        Instant now) const {
  std::vector<HeldKeyView> views;
  const env::Snapshot& in_force = *values.snapshot;
  for (const auto& [key, value] : held_) {
    const FailedValues::Entry* entry = failed_.holding(key, value.wanted);
    views.push_back({.key = key,
                     .how = change_text(value, key, in_force),
                     .blocks = false,
                     .why = value.why,
                     .reason = value.reason,
                     .remedy = remedy_text(key, value.why, entry, now),
                     .generation = value.generation,
                     .since = value.since,
                     .retry_at = entry != nullptr ? entry->retry_at : std::nullopt});
  }
  const auto blocking = [&](const std::string& key, HeldWhy why) {
    return HeldKeyView{.key = key,
                       .how = {},
                       .blocks = true,
                       .why = why,
                       .reason = {},
                       .remedy = {},
                       .generation = in_force.generation,
                       .since = values.since,
                       .retry_at = {}};
  };
  for (const auto& [key, reason] : in_force.unusable) {
    if (held_.contains(key) || !is_taken(plan, key)) continue;
    HeldKeyView& each = views.emplace_back(blocking(key, HeldWhy::unusable));
    each.how = "unusable";
    each.reason = reason;
    each.remedy = remedy_text(key, HeldWhy::unusable, nullptr, now);
  }
  for (const std::string& key : values.unlike_last_run) {
    if (!guarded_.blocks(plan, key, values)) continue;
    HeldKeyView& each = views.emplace_back(blocking(key, HeldWhy::guarded));
    each.how = env::seen_as(plan, key, in_force) ? "changed" : "removed";
    each.reason = unlike_last_run_reason;
    each.remedy = unlike_last_run_remedy(key);
  }
  return views;
}

}  // namespace arizuko::engine
