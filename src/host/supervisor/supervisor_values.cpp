// Values and plans that change while the instance runs: what is read, and what the engine is told of it.
#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arizuko/env/scope.hpp"
#include "clock.hpp"
#include "host/state/login_files.hpp"
#include "supervisor_impl.hpp"

namespace arizuko::host {

CommandResult Supervisor::Impl::reload(const std::string& by) {
  if (!sources) return {false, "nothing is started yet: there is nothing to reload"};
  auto fresh = options.reload();
  if (!fresh) {
    log(Level::error, fmt::format("reload ({}) refused, the running plan stays:\n{}", by, fresh.error()));
    tell_refusal(engine::InputRefused::Input::plan, fmt::format("a reload was asked for ({})", by),
                 fresh.error());
    return {false, fmt::format("refused, the running plan stays:\n{}", fresh.error())};
  }
  const plan::Pod& before = engine.plan()->pod;
  const plan::Pod& after = fresh->first->pod;
  if (after.data_dir != before.data_dir || after.instance != before.instance) {
    const std::string why =
        "refused: pod.instance and pod.data_dir cannot change while running; end the run and start it anew";
    log(Level::error, "reload " + why);
    tell_refusal(engine::InputRefused::Input::plan, fmt::format("a reload was asked for ({})", by), why);
    return {false, why};
  }
  if (const std::string why = engine.why_not(*fresh->first); !why.empty()) {
    log(Level::error, fmt::format("reload ({}) refused, the running plan stays: {}", by, why));
    return {false, fmt::format("refused, the running plan stays: {}", why)};
  }
  log(Level::info, fmt::format("reload: asked for by the {}", by));
  last_refusal.clear();
  report_limits(*fresh->first);
  sources_plan = fresh->first;
  sources->set_sources(fresh->first->env.sources);
  // Once more: what changed between the first reading and the watch is told by nobody.
  auto values_now = options.read_values(*sources_plan);
  number_values(values_now ? **values_now : *fresh->second);
  push(engine::PlanChanged{fresh->first});
  offer_values(Offer::asked, std::nullopt);
  const bool waits = engine.view().waiting_values.has_value();
  return {true, waits ? "it waits for the end of the rotation that is under way: `arizuko-init secrets`"
                      : "reloaded: `arizuko-init status` shows what follows"};
}

// A line of history, with the first problem; once, while it is the same: a source may be written over and
// over.
void Supervisor::Impl::tell_refusal(engine::InputRefused::Input input, const std::string& cause,
                                    const std::string& reason) {
  const std::size_t begin = std::min(reason.find_first_not_of(" \n"), reason.size());
  std::string first = reason.substr(begin, reason.find('\n', begin) - begin);
  if (std::exchange(last_refusal, first) == first) return;
  push(engine::InputRefused{input, cause, std::move(first)});
}

// What was read becomes the newest generation.
void Supervisor::Impl::number_values(env::Snapshot snapshot) {
  snapshot.generation = ++generation;
  newest = std::make_shared<const env::Snapshot>(std::move(snapshot));
  keep_out_of_swap(*newest);
  learn_secrets();
}

// A source changed, or a task may have written one (`arizuko create` writes .env). Content decides: equal
// values are no news. When nothing can be read now, the values that were read before are good.
void Supervisor::Impl::read_values_again(Answer answer, const std::string& cause,
                                         std::optional<engine::Instant> switched) {
  auto fresh = options.read_values(*sources_plan);
  if (!fresh) {
    log(Level::error,
        fmt::format("{}, but its values cannot be used, the old ones stay:\n{}", cause, fresh.error()));
    tell_refusal(engine::InputRefused::Input::values, cause, fresh.error());
    if (answer == Answer::always) offer_values(Offer::followed, std::nullopt);
    if (answer == Answer::again) {  // what was read last is still good
      number_values(*newest);
      offer_values(Offer::again, std::nullopt);
    }
    return;
  }
  last_refusal.clear();
  const bool news = !(*fresh)->same_content(*newest);
  if (news || answer == Answer::again) number_values(**fresh);
  if (answer == Answer::again) return offer_values(Offer::again, switched);
  if (news || answer == Answer::always) offer_values(Offer::followed, switched);
}

void Supervisor::Impl::offer_values(Offer how, std::optional<engine::Instant> switched) {
  push(engine::EnvironmentChanged{
      .snapshot = newest,
      .asked = how == Offer::asked,
      .again = how == Offer::again,
      .unlike_last_run = guarded->unlike_last_run(
          sources_plan->env.guarded, env::seen_values(*sources_plan, sources_plan->env.guarded, *newest)),
      .switched = switched,
  });
}

void Supervisor::Impl::report_guarded_store() {
  if (!guarded->trouble().empty()) {
    log(Level::error, fmt::format("{}: whether a guarded value changed since the last run is not known, so "
                                  "each one has to be accepted",
                                  guarded->trouble()));
  }
  const auto is_set = [&](const std::string& key) { return newest->find(key) != nullptr; };
  const auto& keys = options.plan->env.guarded;
  if (guarded->knows_nothing() && has_data_of_earlier_runs() && std::ranges::any_of(keys, is_set)) {
    push(engine::Remark{
        engine::Remark::Tone::warning,
        fmt::format(
            "this instance has data of earlier runs and no fingerprint of {}: {} is not there. Whether a "
            "value changed since the last run cannot be told, and the present one is taken. If it is "
            "not the one under which the data was stored, put the old one back at once",
            fmt::join(keys, ", "), guarded->path())});
  }
  for (const std::string& key : guarded->spent()) {
    log(Level::warn,
        fmt::format("{} names {}, and has accepted a change of it already: it accepts no other one. "
                    "Take it out of the environment",
                    accept_guarded_variable, key));
  }
}

// A task of the plan has made what it creates, before this start.
bool Supervisor::Impl::has_data_of_earlier_runs() const {
  return std::ranges::any_of(options.plan->services, [this](const plan::Service& each) {
    return each.creates && file_identity(*each.creates) && !marks.was_cut_short(each.name);
  });
}

void Supervisor::Impl::carry_out(const engine::Remember& action) {
  const auto remembered = guarded->remember(action.key, *action.snapshot);
  if (remembered) return;
  inbox.push_back(engine::Remark{
      engine::Remark::Tone::warning,
      fmt::format(
          "what {} is like could not be written down ({}): until that succeeds, the next start does not "
          "know this value. It is tried again by itself",
          action.key, remembered.error())});
  write_fingerprints_later();
}

// Until it succeeds: after 1 s, and less often then.
void Supervisor::Impl::write_fingerprints_later() {
  constexpr std::chrono::seconds longest_pause{60};
  if (guarded_timer.expiry() > std::chrono::steady_clock::now()) return;  // it is armed
  guarded_pause = std::clamp(2 * guarded_pause, std::chrono::seconds(1), longest_pause);
  guarded_timer.expires_after(guarded_pause);
  guarded_timer.async_wait([this](const boost::system::error_code& error) {
    if (error || over) return;
    if (!guarded->write_again()) return write_fingerprints_later();
    guarded_pause = std::chrono::seconds(0);
    push(engine::Remark{engine::Remark::Tone::info,
                        "what the guarded values are like is written down now: the next start knows it"});
  });
}

void Supervisor::Impl::carry_out(const engine::ReadSources& action) {
  const auto cause = [&] {
    switch (action.what) {
      case engine::ReadSources::For::operator_: return "an operator asked for values that were held back";
      case engine::ReadSources::For::rest: return "the rest of a generation is taken";
      case engine::ReadSources::For::retry: return "a value is tried once more";
    }
    return "?";
  };
  read_values_again(Answer::again, cause(), std::nullopt);
}

// What a run that was cut short left aside: its way back is gone with it.
void Supervisor::Impl::forget_old_logins() {
  for (const plan::Service& each : options.plan->services) {
    for (const plan::CachedLogin& login : each.cached) {
      for (const std::string& file : login.files)
        static_cast<void>(move_login(options.plan->pod.data_dir, file, engine::LoginFiles::Do::forget));
    }
  }
}

void Supervisor::Impl::carry_out(const engine::LoginFiles& action) {
  const plan::Service& what = service(action.service);
  const auto login = std::ranges::find(what.cached, action.key, &plan::CachedLogin::key);
  if (login == what.cached.end()) return;  // by a new plan
  for (const std::string& file : login->files) {
    const auto done = move_login(engine.plan()->pod.data_dir, file, action.what);
    if (done) continue;
    log(Level::warn,
        fmt::format("{}: the login of {} that it keeps in {} {}: {}", what.name, action.key, file,
                    action.what == engine::LoginFiles::Do::set_aside
                        ? "cannot be set aside, so the new value may stay untried"
                        : "cannot be moved",
                    done.error()));
  }
}

// ---------------------------------------------------------------------------------------------
// What people are shown of them

// When each key got its present value: the generation in force may change without it.
void Supervisor::Impl::note_ages() {
  const env::SnapshotPtr& in_force = engine.values();
  if (!in_force || in_force == aged) return;
  const engine::Instant now = Clock::now();
  std::map<std::string, engine::Instant, std::less<>> since;
  for (const auto& [key, value] : in_force->values) {
    const std::string* before = aged ? aged->find(key) : nullptr;
    const auto known = key_since.find(key);
    since[key] = before != nullptr && *before == value.text && known != key_since.end() ? known->second : now;
  }
  key_since = std::move(since);
  aged = in_force;
}

std::vector<KeyFacts> Supervisor::keys() const {
  const env::SnapshotPtr& in_force = impl_->engine.values();
  const plan::Plan& plan = *impl_->engine.plan();
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
    facts.fingerprint = impl_->guarded ? impl_->guarded->digits(key) : "";
  }
  std::vector<KeyFacts> list;
  for (auto& [key, facts] : keys) {
    const auto value = in_force ? in_force->values.find(key) : env::Snapshot{}.values.end();
    if (in_force && value != in_force->values.end()) {
      facts.source = value->second.source;
      const auto since = impl_->key_since.find(key);
      if (since != impl_->key_since.end()) facts.since = since->second;
    }
    list.push_back(std::move(facts));
  }
  return list;
}

namespace {

/// Why it can be neither accepted nor tried again.
std::string not_held(const engine::View& view, std::string_view key) {
  std::string names;
  for (const engine::HeldKeyView& each : view.held_keys) {
    if (each.key == key) return fmt::format("{} is held back: {}. {}", key, each.reason, each.remedy);
    names += (names.empty() ? "" : ", ") + each.key;
  }
  return fmt::format("{} is not held back; {}", key,
                     names.empty() ? "nothing is" : fmt::format("held back: {}", names));
}

}  // namespace

CommandResult Supervisor::retry(std::optional<std::string> key, std::string by) {
  if (view().state == engine::PodState::stopping)
    return {false, "the pod is stopping: nothing is taken any more"};
  const auto wanted = [&](const engine::HeldKeyView& each) {
    return (!key || *key == each.key) && !engine::can_be_accepted(each.why) && !each.blocks;
  };
  if (std::ranges::none_of(view().held_keys, wanted)) {
    return {false,
            key ? not_held(view(), *key)
                : "nothing is held back that could be tried again; what is, `arizuko-init secrets` shows"};
  }
  impl_->push(engine::Retry{std::move(key), std::move(by)});
  return {true, "it is tried again: `arizuko-init secrets` shows what follows"};
}

CommandResult Supervisor::accept(std::string_view key, std::string by) {
  if (view().state == engine::PodState::stopping)
    return {false, "the pod is stopping: nothing is taken any more"};
  const auto& held = view().held_keys;
  const auto is_it = [&](const engine::HeldKeyView& each) {
    return each.key == key && engine::can_be_accepted(each.why);
  };
  if (std::ranges::none_of(held, is_it)) return {false, not_held(view(), key)};
  impl_->push(engine::Accept{std::string(key), std::move(by)});
  if (!impl_->all_is_done())
    return {true, fmt::format("{}: asked for; what happened before is carried out first", key)};
  if (std::ranges::any_of(view().held_keys, is_it)) {
    return {false, fmt::format("{} is still held back: its source changed meanwhile; look again", key)};
  }
  // A full volume is better known now than at the next start, which would hold the value back again.
  if (const auto written = impl_->guarded->write_again(); !written) {
    impl_->write_fingerprints_later();
    return {true,
            fmt::format("{} is accepted for this run, but that cannot be written down ({}): a start before "
                        "that succeeds holds it back again. It is tried again by itself: "
                        "`arizuko-init events` says when it is done",
                        key, written.error())};
  }
  return {true, fmt::format("{} is accepted: `arizuko-init secrets` shows what follows", key)};
}

}  // namespace arizuko::host
