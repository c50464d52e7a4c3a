// What must be true of values that are held back: which of an offer are taken is worked out here anew, by the
// checker's own books; what was not borne is offered again once, and for a reason; a saved login never meets
// another password than its own.
#include <algorithm>
#include <utility>

#include "invariants.hpp"

namespace arizuko::sim {

namespace {

std::optional<std::string> text_of(const env::Snapshot& snapshot, const std::string& key) {
  const std::string* text = snapshot.find(key);
  return text != nullptr ? std::optional(*text) : std::nullopt;
}

}  // namespace

int Invariants::strength(const std::string& source) const {
  for (std::size_t i = 0; i < plan_->env.sources.size(); ++i) {
    if (plan::to_text(plan_->env.sources[i]) == source) return static_cast<int>(i);
  }
  return -1;
}

bool Invariants::anybody_takes(const std::string& key) const {
  return std::ranges::any_of(plan_->services, [&](const plan::Service& each) {
    return contains_text(env::scope(*plan_, each), key) || plan::is_switched_by(each, key);
  });
}

std::set<std::string> Invariants::changed(const env::Snapshot& before, const env::Snapshot& after) const {
  std::set<std::string> keys;
  for (const auto& [key, value] : before.values) {
    if (text_of(before, key) != text_of(after, key)) keys.insert(key);
  }
  for (const auto& [key, value] : after.values) {
    if (text_of(before, key) != text_of(after, key)) keys.insert(key);
  }
  return keys;
}

// Why this key's value stays; nullopt: it is taken. Guarded and needed keys come after these.
std::optional<HeldWhy> Invariants::held_for(const std::string& key, const EnvironmentChanged& offer) const {
  const env::Snapshot& fresh = *offer.snapshot;
  if (fresh.unusable.contains(key)) {
    const bool blocks_already = taken_->unusable.contains(key);
    return blocks_already || !anybody_takes(key) ? std::nullopt : std::optional(HeldWhy::unusable);
  }
  if (text_of(fresh, key) == text_of(*taken_, key)) return std::nullopt;
  const auto failed = not_borne_.find(key);
  if (failed != not_borne_.end() && !failed->second.released && failed->second.value == text_of(fresh, key))
    return HeldWhy::failed;
  const auto old_value = taken_->values.find(key);
  if (old_value == taken_->values.end() || accepted(key, fresh)) return std::nullopt;
  const std::string& source = old_value->second.source;
  if (source == "environment") return std::nullopt;
  const auto now = fresh.values.find(key);
  if (now != fresh.values.end()) {
    const bool weaker = strength(now->second.source) < strength(source);
    return weaker ? std::optional(HeldWhy::weaker) : std::nullopt;
  }
  const bool gives =
      std::ranges::any_of(fresh.values, [&](const auto& each) { return each.second.source == source; });
  return gives || offer.asked ? std::nullopt : std::optional(HeldWhy::emptied);
}

// What may be taken of an offer: what is held back keeps its old value.
env::SnapshotPtr Invariants::without_held(const EnvironmentChanged& offer) {
  const env::Snapshot& offered = *offer.snapshot;
  std::erase_if(not_borne_,
                [&](const auto& each) { return each.second.value != text_of(offered, each.first); });
  for (auto& [key, entry] : not_borne_) {
    if (!offer.asked) continue;
    entry.released = true;
    entry.retry_at.reset();
  }
  auto kept = std::make_shared<env::Snapshot>(offered);
  std::map<std::string, HeldWhy> held;
  const auto keep = [&](const std::string& key, HeldWhy why) {
    held[key] = why;
    kept->unusable.erase(key);
    kept->values.erase(key);
    if (taken_->values.contains(key)) kept->values[key] = taken_->values.find(key)->second;
    if (taken_->unusable.contains(key)) kept->unusable[key] = taken_->unusable.find(key)->second;
  };
  std::set<std::string> keys = changed(*taken_, offered);
  for (const auto& [key, why] : offered.unusable) keys.insert(key);
  for (const std::string& key : keys) {
    if (const std::optional<HeldWhy> why = held_for(key, offer)) keep(key, *why);
  }
  for (const std::string& key : plan_->env.guarded) {
    if (!seen(key) || accepted(key, *kept)) continue;
    if (text_of(*taken_, key) != text_of(*kept, key)) keep(key, HeldWhy::guarded);
  }
  for (bool again = true; std::exchange(again, false);) {
    for (ServiceId id = 0; id < shadows_.size(); ++id) {
      const plan::Service& what = service(id);
      const Shadow& run = shadows_[id];
      if (!is_up(run.state) || run.switched_off || !what.enabled || !env::enabled(what, *kept)) continue;
      for (const std::string& key : env::missing(what, *kept)) {
        if (!taken_->has(key)) continue;
        keep(key, HeldWhy::needed);
        again = true;
      }
    }
  }
  held_ = std::move(held);
  held_offer_ = offer.snapshot;
  return kept;
}

// A service that runs lacks a value, and lacked it before.
bool Invariants::refusable(const env::Snapshot& fresh) const {
  for (ServiceId id = 0; id < shadows_.size(); ++id) {
    const plan::Service& what = service(id);
    const Shadow& run = shadows_[id];
    if (!is_up(run.state) || run.switched_off || !what.enabled || !env::enabled(what, fresh)) continue;
    if (!env::missing(what, fresh).empty()) return true;
  }
  return false;
}

// ---------------------------------------------------------------------------------------------
// What was not borne

std::set<std::string> Invariants::of_interest(ServiceId id, const std::set<std::string>& keys) const {
  std::set<std::string> seen_keys;
  for (const std::string& key : keys) {
    const bool asks = plan::is_switched_by(service(id), key);
    if (asks || contains_text(env::scope(*plan_, service(id)), key)) seen_keys.insert(key);
  }
  return seen_keys;
}

// The keys of the culprit; else of what it was restarted with; else all.
void Invariants::blame(ServiceId culprit) {
  const std::set<std::string> keys = changed(*turn_->before, *turn_->fresh);
  std::set<std::string> blamed = of_interest(culprit, keys);
  if (blamed.empty()) {
    for (ServiceId other = 0; other < shadows_.size(); ++other) {
      const std::vector<ServiceId> later = reached(other, false);
      if (contains(later, culprit)) blamed.merge(of_interest(other, keys));
    }
  }
  if (blamed.empty()) blamed = keys;
  turn_->blamed = blamed;
  for (const std::string& key : blamed) {
    NotBorne& entry = not_borne_[key];
    if (entry.value != text_of(*turn_->fresh, key)) entry = {};
    entry.value = text_of(*turn_->fresh, key);
    entry.released = false;
    ++entry.times;
    entry.retry_at = entry.times == 1 ? std::optional(now_ + retried_after) : std::nullopt;
    held_[key] = HeldWhy::failed;
  }
}

// Each time for a reason.
void Invariants::see(const ReadSources& action) {
  switch (action.what) {
    case ReadSources::For::operator_:
      if (!std::holds_alternative<Accept>(*event_) && !std::holds_alternative<Retry>(*event_))
        throw Broken("the sources are read for an operator who did not ask");
      return;
    case ReadSources::For::rest:
      if (!std::exchange(rest_is_due_, false)) throw Broken("a rest is offered, and there is none");
      return;
    case ReadSources::For::retry: {
      bool any = false;
      for (auto& [key, entry] : not_borne_) {
        if (!entry.retry_at || *entry.retry_at > now_) continue;
        entry.retry_at.reset();
        entry.released = any = true;
      }
      if (!any) throw Broken("a retry, and none is due");
      return;
    }
  }
}

// ---------------------------------------------------------------------------------------------
// Logins that are kept in files

void Invariants::see(const LoginFiles& action) {
  Login& login = logins_[{action.service, action.key}];
  const auto must = [&](bool holds, const std::string& sentence) {
    if (!holds) broken(action.service, sentence);
  };
  switch (action.what) {
    case LoginFiles::Do::set_aside:
      must(!login.is_aside, "its login is set aside over another one");
      login.is_aside = true;
      login.aside = std::exchange(login.file, std::nullopt);
      return;
    case LoginFiles::Do::drop:
      must(login.is_aside, "its login is dropped, and none is set aside");
      login.file.reset();
      return;
    case LoginFiles::Do::put_back:
      must(login.is_aside, "its login is put back, and none is set aside");
      login.is_aside = false;
      login.file = std::exchange(login.aside, std::nullopt);
      return;
    case LoginFiles::Do::forget:
      must(login.is_aside, "its login is forgotten, and none is set aside");
      login.is_aside = false;
      must(shadows_[action.service].state == State::ready, "its old login is forgotten before it serves");
      must(!turn_, "its old login is forgotten before the rotation has an outcome");
      login.aside.reset();
      return;
  }
}

// A run never finds the login of another value than its own.
void Invariants::check_logins(ServiceId id, const env::Snapshot& snapshot) {
  for (const plan::CachedLogin& cached : service(id).cached) {
    Login& login = logins_[{id, cached.key}];
    const std::optional<std::string> value = text_of(snapshot, cached.key);
    if (login.file && *login.file != value) broken(id, "it was started with the login of another value");
    login.file = value;
  }
}

}  // namespace arizuko::sim
