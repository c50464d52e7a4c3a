// What must be true of generations: each ends in exactly one outcome, one at a time, with the fewest
// restarts, and a way back leads to where it was. The books are the checker's own: which values are in
// force is worked out from what was offered, and the engine's notes are claims that are held against it.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "invariants.hpp"

namespace arizuko::sim {

namespace {

std::optional<std::string> text_of(const env::Snapshot& snapshot, const std::string& key) {
  const std::string* text = snapshot.find(key);
  return text != nullptr ? std::optional(*text) : std::nullopt;
}

}  // namespace

void Invariants::wrong(env::Generation generation, const std::string& sentence) const {
  throw Broken(fmt::format("generation {}: {}", generation, sentence));
}

// ---------------------------------------------------------------------------------------------
// Offered

void Invariants::take_environment(const EnvironmentChanged& event) {
  if (stopping_since_ || ended_) return;
  const bool known = last_offer_ && last_offer_->same_content(*event.snapshot);
  if (known && !event.asked && !event.again) return;
  last_offer_ = event.snapshot;
  open_[event.snapshot->generation] = event;
}

void Invariants::take_accept(const Accept& event) {
  if (stopping_since_ || ended_ || !taken_) return;
  // Of a running instance: the value that was offered and left out.
  const auto held = held_.find(event.key);
  if (held != held_.end() && can_be_accepted(held->second)) {
    accepted_[event.key] = text_of(*held_offer_, event.key);
    operator_waits_ = true;
  } else if (!seen(event.key) && unlike_last_run_.contains(event.key)) {
    accepted_[event.key] = text_of(*taken_, event.key);
  }
}

void Invariants::take_retry(const Retry& event) {
  if (stopping_since_ || ended_ || !taken_) return;
  bool any = event.key && held_.contains(*event.key);
  for (auto& [key, entry] : not_borne_) {
    if (event.key && *event.key != key) continue;
    entry.released = true;
    entry.retry_at.reset();
    any = true;
  }
  operator_waits_ = operator_waits_ || any;
}

std::vector<std::string> Invariants::acceptable() const {
  std::vector<std::string> keys;
  if (view_ == nullptr) return keys;
  for (const HeldKeyView& each : view_->values.held_keys) {
    if (can_be_accepted(each.why)) keys.push_back(each.key);
  }
  return keys;
}

bool Invariants::scope_has(ServiceId id, const std::string& key) const {
  if (service(id).kind != plan::Kind::service) return false;
  const std::vector<std::string> scope = env::scope(*plan_, service(id));
  return std::ranges::find(scope, key) != scope.end();
}

bool Invariants::seen(const std::string& key) const { return seen_.contains(key); }

bool Invariants::accepted(const std::string& key, const env::Snapshot& snapshot) const {
  const auto found = accepted_.find(key);
  return found != accepted_.end() && found->second == text_of(snapshot, key);
}

std::vector<std::string> Invariants::unaccepted(ServiceId id) const {
  std::vector<std::string> keys;
  for (const std::string& key : plan_->env.guarded) {
    if (unlike_last_run_.contains(key) && !seen(key) && !accepted(key, *taken_) && scope_has(id, key))
      keys.push_back(key);
  }
  return keys;
}

// ---------------------------------------------------------------------------------------------
// Outcomes

void Invariants::see_generation(const Note& note) {
  const env::Generation generation = note.generation;
  if (note.what == What::generation_taken) return see_taken(generation);
  if (note.what == What::generation_refused) return see_refused(generation);
  if (note.what == What::generation_superseded) return see_superseded(generation);
  if (note.what == What::generation_applied) return see_applied(generation);
  if (note.what == What::generation_going_back) return see_way_back(note);
  if (note.what == What::generation_rolled_back) return see_rolled_back(generation, false);
  if (note.what == What::generation_rolled_back_in_part) return see_rolled_back(generation, true);
  if (note.what == What::generation_waits) {  // what of it is held back is said already
    without_held(open_.at(generation));
    return;
  }
  if (note.what != What::generation_interrupted) return;  // of a key, or of the rate limit
  close(generation);
  if (turn_ && turn_->generation == generation) turn_.reset();
}

void Invariants::close(env::Generation generation) {
  if (open_.erase(generation) == 0) wrong(generation, "it has an outcome already, or was never offered");
}

void Invariants::see_taken(env::Generation generation) {
  if (turn_) wrong(generation, "it was taken while another rotation was under way");
  const auto found = open_.find(generation);
  if (found == open_.end()) wrong(generation, "it was taken though it has an outcome, or was never offered");
  if (std::next(found) != open_.end() || open_.size() > 1)
    wrong(generation, "it was taken, and is not the newest");
  const EnvironmentChanged offer = found->second;
  const std::set<std::string> unlike_before =
      std::exchange(unlike_last_run_, {offer.unlike_last_run.begin(), offer.unlike_last_run.end()});
  if (!taken_) {  // at boot it is simply there
    taken_ = offer.snapshot;
    open_.clear();
    return;
  }
  const env::SnapshotPtr fresh = without_held(offer);
  if (refusable(*fresh)) wrong(generation, "it was taken, and should have been refused");
  turn_.emplace();
  turn_->generation = generation;
  turn_->before = taken_;
  turn_->fresh = fresh;
  turn_->before_unlike = unlike_before;
  asked_ = offer.asked || std::exchange(operator_waits_, false);
  for (ServiceId id = 0; id < shadows_.size(); ++id) {
    if (shadows_[id].state == State::ready && service(id).kind == plan::Kind::service)
      turn_->serving.insert(id);
  }
  taken_ = fresh;
}

void Invariants::see_refused(env::Generation generation) {
  if (turn_) wrong(generation, "it was refused while another rotation was under way");
  const auto found = open_.find(generation);
  if (found == open_.end()) wrong(generation, "it was refused, but has an outcome already");
  const EnvironmentChanged offer = found->second;
  const env::SnapshotPtr fresh = without_held(offer);
  const bool all_held = fresh->same_content(*taken_) && !held_.empty();
  if (!all_held && !refusable(*fresh)) wrong(generation, "it was refused without a reason");
  close(generation);
}

void Invariants::see_superseded(env::Generation generation) {
  if (open_.upper_bound(generation) == open_.end()) wrong(generation, "it was superseded by nothing");
  if (turn_ && turn_->generation == generation) wrong(generation, "it was superseded after its turn began");
  close(generation);
}

void Invariants::see_way_back(const Note& note) {
  if (!turn_ || turn_->generation != note.generation || turn_->going_back)
    wrong(note.generation, "it is rolled back, and is not on its way");
  if (note.back_to != turn_->before->generation)
    wrong(note.generation, "it is rolled back to something else than before");
  if (!note.culprit || shadows_[*note.culprit].state == State::ready)
    wrong(note.generation, "it is rolled back, and the service that it names serves: " + note.cause);
  blame(*note.culprit);
  turn_->going_back = true;
  taken_ = turn_->before;
  unlike_last_run_ = turn_->before_unlike;
}

bool Invariants::has_old_values(ServiceId id) const {
  return env::compose(*plan_, service(id), *taken_) != shadows_[id].given;
}

void Invariants::see_applied(env::Generation generation) {
  if (!turn_ || turn_->generation != generation || turn_->going_back)
    wrong(generation, "it is applied, and is not on its way");
  for (ServiceId id = 0; id < shadows_.size(); ++id) {
    if (!runs(shadows_[id].state) || service(id).kind == plan::Kind::task) continue;
    if (!part(id)) broken(id, "its generation is applied, and it runs though it is not part of the instance");
    if (service(id).on_change == plan::OnChange::ignore) continue;
    if (has_old_values(id)) broken(id, "its generation is applied, and it runs with old values");
  }
  std::erase_if(not_borne_,
                [&](const auto& each) { return each.second.value == text_of(*taken_, each.first); });
  close(generation);
  turn_.reset();
}

// Where it was before: what served serves, with the values from before.
void Invariants::see_rolled_back(env::Generation generation, bool in_part) {
  if (!turn_ || turn_->generation != generation || !turn_->going_back)
    wrong(generation, "it is rolled back without having gone back");
  if (taken_->values != turn_->before->values)
    wrong(generation, "the values in force are not those from before");
  for (const ServiceId id : turn_->serving) {
    const Shadow& run = shadows_[id];
    const bool concerned = turn_->restarted.contains(id) && part(id) && !run.switched_off;
    if (in_part || !concerned || run.state == State::done) continue;
    if (run.state != State::ready)
      broken(id, "its generation is rolled back, and it does not serve as before");
    if (has_old_values(id))
      broken(id, "its generation is rolled back, and it runs with other values than before");
  }
  close(generation);
  const bool rest = turn_->blamed.size() < changed(*turn_->before, *turn_->fresh).size();
  rest_is_due_ = rest && !turn_->blamed.empty() && open_.empty();
  turn_.reset();
}

// ---------------------------------------------------------------------------------------------
// Restarts

// It serves with old values, and its turn is to come.
bool Invariants::is_to_restart(ServiceId id) const {
  if (!turn_ || turn_->going_back || !turn_->serving.contains(id)) return false;
  if (!runs(shadows_[id].state) || turn_->restarted.contains(id)) return false;
  return !part(id) || (service(id).on_change == plan::OnChange::restart && has_old_values(id));
}

void Invariants::see_stop_for_values(ServiceId id, const Note& note) {
  const bool back = note.origin == Why::rolled_back;
  if (note.origin != Why::values_changed && !back) return;
  if (!turn_) broken(id, "it is stopped for new values, and there are none");
  const bool direct = note.why == Why::values_changed;
  if (direct && !has_old_values(id)) broken(id, "new values that do not concern it stopped it");
  for (ServiceId other = 0; other < shadows_.size() && direct; ++other) {
    const bool first = turn_->serving.contains(id) && is_to_restart(other) && other != id;
    const std::vector<ServiceId> later = reached(other, false);
    if (first && std::ranges::find(later, id) != later.end())
      broken(id, fmt::format("its turn comes before that of {}, which it comes after", service(other).name));
  }
  std::set<ServiceId>& once = back ? turn_->returned : turn_->restarted;
  // A service that was only starting has its own failures beside; one that served restarts once.
  if (!once.insert(id).second && turn_->serving.contains(id) && direct)
    broken(id, "it is stopped twice for the same values");
  if (direct) check_braked(id);
}

void Invariants::check_braked(ServiceId id) {
  if (!turn_->serving.contains(id)) return;
  std::deque<Instant>& times = rotated_[id];
  times.push_back(now_);
  while (now_ - times.front() >= rotation_window) times.pop_front();
  if (times.size() > most_rotations && !asked_) broken(id, "it is restarted for new values over and over");
}

// ---------------------------------------------------------------------------------------------
// Guarded keys

void Invariants::check_guarded_start(ServiceId id) {
  for (const std::string& key : plan_->env.guarded) {
    if (!scope_has(id, key)) continue;
    if (!unaccepted(id).empty()) broken(id, "it was started with a guarded value that nobody accepted");
    const auto known = remembered_.find(key);
    seen_.insert(key);
    if (known == remembered_.end() || known->second != text_of(*taken_, key))
      broken(id, "it was started with a guarded value that is not remembered");
  }
}

void Invariants::see(const Remember& action) {
  remembered_[action.key] = text_of(*action.snapshot, action.key);
}

}  // namespace arizuko::sim
