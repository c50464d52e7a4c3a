#include "held_values.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "arizuko/env/scope.hpp"
#include "values_text.hpp"

namespace arizuko::engine {

namespace {

std::set<std::string> all_keys(const env::Difference& difference) {
  std::set<std::string> all;
  for (const auto* list : {&difference.added, &difference.changed, &difference.removed})
    all.insert(list->begin(), list->end());
  return all;
}

std::set<std::string> changed_keys(const env::Snapshot& before, const env::Snapshot& fresh) {
  std::set<std::string> all = all_keys(env::difference(before, fresh));
  for (const auto& [key, why] : fresh.unusable) all.insert(key);
  return all;
}

bool gives_nothing(const std::string& source, const env::Snapshot& snapshot) {
  return std::ranges::none_of(snapshot.values,
                              [&](const auto& each) { return each.second.source == source; });
}

// The place of a source among those of the plan; what is none of them (made up for a rehearsal) is the
// weakest.
std::ptrdiff_t strength(const plan::Plan& plan, const std::string& source) {
  const std::vector<plan::Source>& sources = plan.env.sources;
  const auto found =
      std::ranges::find_if(sources, [&](const plan::Source& each) { return plan::to_text(each) == source; });
  return found == sources.end() ? -1 : found - sources.begin();
}

std::vector<std::string> lacks_of(const plan::Service& service, const env::Snapshot& fresh) {
  if (!service.enabled || !env::enabled(service, fresh)) return {};
  return env::missing(service, fresh);
}

// One offer on its way: what of it is kept so far.
class Sifting {
 public:
  Sifting(const EnvironmentChanged& offer, const Sieve& sieve)
      : offer_(offer), sieve_(sieve), kept_(*offer.snapshot) {}

  void hold_what_changed();
  void hold_guarded();
  void hold_what_is_needed();
  Sifted result() {
    if (held_.empty()) return {offer_.snapshot, {}};
    return {std::make_shared<const env::Snapshot>(std::move(kept_)), std::move(held_)};
  }

 private:
  HeldValue held_for(HeldWhy why, const std::string& about, std::string reason,
                     std::optional<std::string> wanted) const {
    return {why, about, std::move(reason), std::move(wanted), offer_.snapshot->generation, sieve_.now};
  }
  std::optional<HeldValue> why_held(const std::string& key) const;
  std::optional<HeldValue> why_gone(const std::string& key) const;
  std::vector<std::string> missing_for(ServiceId id) const {
    return lacks_of(sieve_.plan.services[id], kept_);
  }
  void keep_old_value(const std::string& key);
  void hold(const std::string& key, HeldValue value);

  const EnvironmentChanged& offer_;
  const Sieve& sieve_;
  env::Snapshot kept_;
  HeldValues held_;
};

void Sifting::hold_what_changed() {
  for (const std::string& key : changed_keys(sieve_.in_force, *offer_.snapshot)) {
    if (std::optional<HeldValue> value = why_held(key)) hold(key, std::move(*value));
  }
}

std::optional<HeldValue> Sifting::why_held(const std::string& key) const {
  const env::Snapshot& fresh = *offer_.snapshot;
  const std::optional<std::string> wanted = text_of(fresh, key);
  if (const auto unusable = fresh.unusable.find(key); unusable != fresh.unusable.end()) {
    // From the start it is what blocks its takers; what nobody takes is nobody's trouble.
    if (sieve_.in_force.unusable.contains(key) || !is_taken(sieve_.plan, key)) return std::nullopt;
    return held_for(HeldWhy::unusable, unusable->second, unusable->second, wanted);
  }
  if (const FailedValues::Entry* failed = sieve_.failed.holding(key, wanted))
    return HeldValue{HeldWhy::failed, "", failed->reason, wanted, failed->generation, failed->since};
  return why_gone(key);
}

// A key that its source does not give any more. A source that gives nothing at all is more likely a file that
// is just being written, or a Secret deleted by mistake, than a wish; and what a weaker source happens to
// have for it (the CHANNEL_SECRET that `arizuko create` made up) was never meant to be used.
std::optional<HeldValue> Sifting::why_gone(const std::string& key) const {
  const auto before = sieve_.in_force.values.find(key);
  if (before == sieve_.in_force.values.end() || before->second.source == plan::Source::environment_name)
    return std::nullopt;
  const env::Snapshot& fresh = *offer_.snapshot;
  const std::string& source = before->second.source;
  const auto now = fresh.values.find(key);
  const std::optional<std::string> wanted = text_of(fresh, key);
  if (sieve_.guarded.is_accepted(key, wanted)) return std::nullopt;
  if (now != fresh.values.end()) {
    if (strength(sieve_.plan, now->second.source) >= strength(sieve_.plan, source)) return std::nullopt;
    const std::string& weaker = now->second.source;
    return held_for(HeldWhy::weaker, weaker, weaker_text(source, weaker), wanted);
  }
  if (offer_.asked || !gives_nothing(source, fresh)) return std::nullopt;
  return held_for(HeldWhy::emptied, source, emptied_text(source), wanted);
}

// What was seen and is not accepted stays, also where a service sees another key under the guarded name.
void Sifting::hold_guarded() {
  for (const std::string& key : sieve_.plan.env.guarded) {
    const std::optional<std::string> seen = env::seen_as(sieve_.plan, key, sieve_.in_force);
    const std::optional<std::string> wanted = env::seen_as(sieve_.plan, key, kept_);
    if (seen == wanted || !sieve_.guarded.is_used(key) || sieve_.guarded.is_accepted(key, wanted)) continue;
    hold(key, held_for(HeldWhy::guarded, "", seen ? lost_with_another : lost_with_the_first, wanted));
    for (const std::string& part : env::made_of(sieve_.plan, key)) keep_old_value(part);
  }
}

// What runs does not lose a value that it needs. Holding one back may switch a service on that needs another.
void Sifting::hold_what_is_needed() {
  for (bool again = true; std::exchange(again, false);) {
    for (const ServiceId id : sieve_.running) {
      for (const std::string& key : missing_for(id)) {
        if (!sieve_.in_force.has(key)) continue;
        const std::string& name = sieve_.plan.services[id].name;
        hold(key, held_for(HeldWhy::needed, name, needed_text(name), text_of(*offer_.snapshot, key)));
        again = true;
      }
    }
  }
}

void Sifting::keep_old_value(const std::string& key) {
  kept_.unusable.erase(key);
  const auto old_value = sieve_.in_force.values.find(key);
  if (old_value != sieve_.in_force.values.end()) {
    kept_.values[key] = old_value->second;
    return;
  }
  kept_.values.erase(key);
  if (const auto mark = sieve_.in_force.unusable.find(key); mark != sieve_.in_force.unusable.end())
    kept_.unusable.insert(*mark);
}

void Sifting::hold(const std::string& key, HeldValue value) {
  keep_old_value(key);
  // As long as it is the same value that is held for the same reason, it is held since then.
  const auto known = sieve_.held.find(key);
  if (known != sieve_.held.end() && known->second.why == value.why && known->second.wanted == value.wanted) {
    value.since = known->second.since;
    value.generation = known->second.generation;
  }
  held_.insert_or_assign(key, std::move(value));
}

}  // namespace

bool is_same(const HeldValue& one, const HeldValue& other) {
  return one.why == other.why && one.wanted == other.wanted && one.about == other.about;
}

Sifted sift(const EnvironmentChanged& offer, const Sieve& sieve) {
  Sifting sifting(offer, sieve);
  sifting.hold_what_changed();
  sifting.hold_guarded();
  sifting.hold_what_is_needed();
  return sifting.result();
}

std::vector<Lack> lacking(const plan::Plan& plan, const std::vector<ServiceId>& running,
                          const env::Snapshot& fresh) {
  std::vector<Lack> lacks;
  for (const ServiceId id : running) {
    std::vector<std::string> keys = lacks_of(plan.services[id], fresh);
    if (!keys.empty()) lacks.push_back({id, std::move(keys)});
  }
  return lacks;
}

bool is_taken(const plan::Plan& plan, const std::string& key) {
  return std::ranges::any_of(plan.services, [&](const plan::Service& each) {
    return std::ranges::binary_search(env::scope(plan, each), key) || plan::is_switched_by(each, key);
  });
}

std::set<std::string> blamed_keys(const plan::Plan& plan, const Dependencies& dependencies, ServiceId culprit,
                                  const env::Difference& changed) {
  const std::set<std::string> all = all_keys(changed);
  const auto seen_by = [&](ServiceId id) {
    const plan::Service& what = plan.services[id];
    std::set<std::string> seen;
    for (const std::string& key : env::scope(plan, what)) {
      if (all.contains(key)) seen.insert(key);
    }
    for (const std::string& key : all) {
      if (plan::is_switched_by(what, key)) seen.insert(key);
    }
    return seen;
  };
  std::set<std::string> blamed = seen_by(culprit);
  if (!blamed.empty()) return blamed;
  std::set<ServiceId> visited{culprit};  // and all that it comes after, near and far
  for (std::vector<ServiceId> open{culprit}; !open.empty();) {
    const ServiceId next = open.back();
    open.pop_back();
    for (const ServiceId other : dependencies.prerequisites(next)) {
      if (!visited.insert(other).second) continue;
      blamed.merge(seen_by(other));
      open.push_back(other);
    }
  }
  return blamed.empty() ? all : blamed;
}

}  // namespace arizuko::engine
