#include "guarded_keeper.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arizuko/env/scope.hpp"
#include "earlier_runs.hpp"

namespace arizuko::host {

GuardedKeeper::GuardedKeeper(const Context& context, std::string_view accepted)
    : context_(context), store_(context.state, accepted), timer_(context.io) {}

void GuardedKeeper::report(const env::Snapshot& values) {
  if (!store_.trouble().empty()) {
    context_.reporter.log(
        Level::error, fmt::format("{}: whether a guarded value changed since the last run is not known, so "
                                  "each one has to be accepted",
                                  store_.trouble()));
  }
  const auto is_set = [&](const std::string& key) { return values.find(key) != nullptr; };
  const auto& keys = context_.engine.plan()->env.guarded;
  if (store_.knows_nothing() && has_data_of_earlier_runs(*context_.engine.plan(), context_.marks) &&
      std::ranges::any_of(keys, is_set)) {
    context_.inbox.push(engine::Remark{
        engine::Remark::Tone::warning,
        context_.washed(fmt::format(
            "this instance has data of earlier runs and no fingerprint of {}: {} is not there. Whether a "
            "value changed since the last run cannot be told, and the present one is taken. If it is "
            "not the one under which the data was stored, put the old one back at once",
            fmt::join(keys, ", "), store_.path()))});
  }
  for (const std::string& key : store_.spent()) {
    context_.reporter.log(
        Level::warn, fmt::format("{} names {}, and has accepted a change of it already: it accepts no other "
                                 "one. Take it out of the environment",
                                 accept_guarded_variable, key));
  }
}

std::vector<std::string> GuardedKeeper::unlike_last_run(const plan::Plan& plan, const env::Snapshot& values) {
  return store_.unlike_last_run(plan.env.guarded, env::seen_values(plan, plan.env.guarded, values));
}

void GuardedKeeper::remember(const engine::Remember& action) {
  const auto remembered = store_.remember(action.key, *action.snapshot);
  if (remembered) return;
  context_.inbox.put(engine::Remark{
      engine::Remark::Tone::warning,
      context_.washed(fmt::format(
          "what {} is like could not be written down ({}): until that succeeds, the next start does not "
          "know this value. It is tried again by itself",
          action.key, remembered.error()))});
  write_later();
}

std::expected<void, std::string> GuardedKeeper::write_now() {
  auto written = store_.write_again();
  if (!written) write_later();
  return written;
}

// Until it succeeds: after 1 s, and less often then.
void GuardedKeeper::write_later() {
  constexpr std::chrono::seconds longest_pause{60};
  if (timer_.expiry() > std::chrono::steady_clock::now()) return;  // it is armed
  pause_ = std::clamp(2 * pause_, std::chrono::seconds(1), longest_pause);
  timer_.expires_after(pause_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || over_) return;
    if (!store_.write_again()) return write_later();
    pause_ = std::chrono::seconds(0);
    context_.inbox.push(
        engine::Remark{engine::Remark::Tone::info,
                       "what the guarded values are like is written down now: the next start knows it"});
  });
}

void GuardedKeeper::end() {
  over_ = true;
  timer_.cancel();
  store_.put_back();
}

}  // namespace arizuko::host
