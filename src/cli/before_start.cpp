#include "before_start.hpp"

#include <chrono>
#include <csignal>

#include <fmt/format.h>

#include "arizuko/engine/why.hpp"
#include "arizuko/host/state/last_run.hpp"

namespace arizuko::cli {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// The holder may take its whole grace to stop, and then has to be collected.
constexpr seconds after_its_grace{5};
constexpr milliseconds between_tries{100};
/// What a dead run left is given so long to end by itself after SIGTERM (teled needs 5 s), and then to die.
constexpr seconds term_patience{10};
constexpr seconds kill_patience{2};
constexpr milliseconds between_looks{20};

using Tone = engine::Remark::Tone;

Refusal not_allowed(std::string sentence) { return {exit_code::not_allowed, {}, {std::move(sentence)}}; }

std::string since(Clock::time_point begin) { return engine::duration_text(Clock::now() - begin); }

}  // namespace

BeforeStart::Outcome BeforeStart::enter() {
  Outcome lock = take_lock();
  if (!lock) return lock;
  const auto ended = end_last_run();
  if (!ended) return std::unexpected(ended.error());
  return lock;
}

void BeforeStart::wait_for(const std::string& what) {
  supervisor_.start_waits(what);
  hooks_.open_probes();
}

BeforeStart::Outcome BeforeStart::take_lock() {
  using Why = host::LockRefusal::Why;
  const plan::Pod& pod = supervisor_.plan().pod;
  const auto begin = Clock::now();
  const auto bound = pod.grace + after_its_grace;
  auto lock = host::DataLock::acquire(pod.data_dir);
  const bool waits = !lock && lock.error().why == Why::held;
  if (waits) {
    wait_for(
        fmt::format("{}; waiting up to {} for it to end", lock.error().text, engine::duration_text(bound)));
  }
  while (!lock && lock.error().why == Why::held) {
    if (hooks_.stopped()) return std::unexpected(std::nullopt);
    if (Clock::now() >= begin + bound) {
      return std::unexpected(not_allowed(
          fmt::format("{}; it has not ended within {}", lock.error().text, engine::duration_text(bound))));
    }
    io_.run_one_for(between_tries);
    lock = host::DataLock::acquire(pod.data_dir);
  }
  if (!lock) return std::unexpected(not_allowed(lock.error().text));
  if (waits) {
    supervisor_.remark(Tone::info,
                       fmt::format("the data directory {} is free after {}", pod.data_dir, since(begin)));
  }
  return std::move(*lock);
}

std::expected<void, std::optional<Refusal>> BeforeStart::end_last_run() {
  const std::uint32_t instance = host::instance_mark(supervisor_.plan().pod.data_dir);
  auto left = host::left_by_last_run(instance);
  if (left.empty()) return {};
  const std::string names = host::to_text(left);
  if (const auto others = host::out_of_reach(left); !others.empty()) {
    return std::unexpected(not_allowed(fmt::format(
        "processes of an earlier run of this data directory are alive, their arizuko-init is not, and we may "
        "not "
        "end them: {}; end them as their user or as root: two routers on one database lose messages",
        host::to_text(others))));
  }
  wait_for(
      fmt::format("an earlier run of this data directory died and left {}: telling them to stop", names));
  const auto begin = Clock::now();
  bool killing = false;
  host::signal_left(left, SIGTERM);
  while (!left.empty()) {
    if (hooks_.stopped()) return std::unexpected(std::nullopt);
    const auto waited = Clock::now() - begin;
    if (waited >= term_patience + kill_patience) {
      return std::unexpected(not_allowed(
          fmt::format("what an earlier run of this data directory left survives SIGKILL: {}; two routers on "
                      "one database lose messages",
                      host::to_text(left))));
    }
    if (waited >= term_patience) {
      if (!std::exchange(killing, true)) {
        supervisor_.remark(
            Tone::warning,
            fmt::format("SIGKILL to what an earlier run left, it did not end within {} of SIGTERM: {}",
                        engine::duration_text(term_patience), host::to_text(left)));
      }
      host::signal_left(left, SIGKILL);  // again and again: what it made meanwhile, too
    }
    io_.run_one_for(between_looks);
    left = host::left_by_last_run(instance);
  }
  supervisor_.remark(Tone::warning,
                     fmt::format("what an earlier run had left has ended after {}: {}", since(begin), names));
  return {};
}

}  // namespace arizuko::cli
