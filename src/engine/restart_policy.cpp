#include "restart_policy.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "arizuko/base/fnv1a.hpp"

namespace arizuko::engine {

namespace {

// FNV-1a, then a finalizer: a stable hash, the same on every machine and in every build.
std::uint64_t mix(std::string_view text, std::uint64_t number) {
  std::uint64_t hash = base::fnv1a(text, base::fnv1a_basis<std::uint64_t> ^ number);
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdULL;
  hash ^= hash >> 33;
  return hash;
}

constexpr std::chrono::milliseconds price_of_a_failure{100};
constexpr int failures_on_credit = 50;

}  // namespace

void FailureRecord::add(const plan::RestartPolicy& policy, Instant now, bool was_stable) {
  if (was_stable) in_a_row_ = 0;
  if (in_a_row_ == 0) first_is_free_ = was_stable;
  ++in_a_row_;
  ++total_;
  paid_until_ = std::max(paid_until_, now) + price_of_a_failure;
  times_.push_back(now);
  const std::size_t most = std::max<std::size_t>(policy.budget, 1);
  if (times_.size() > most) times_.erase(times_.begin(), times_.end() - static_cast<std::ptrdiff_t>(most));
}

void FailureRecord::forgive_since(Instant earliest) {
  while (!times_.empty() && times_.back() >= earliest) {
    times_.pop_back();
    if (in_a_row_ > 0) --in_a_row_;
  }
}

void FailureRecord::clear() {
  times_.clear();
  in_a_row_ = 0;
}

std::uint32_t FailureRecord::within_window(const plan::RestartPolicy& policy, Instant now) const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(times_, [&](Instant at) { return now - at <= Nanoseconds(policy.window); }));
}

bool FailureRecord::exhausted(const plan::RestartPolicy& policy, Instant now) const {
  return policy.budget > 0 && within_window(policy, now) >= policy.budget;
}

Nanoseconds FailureRecord::least_pause(Instant now) const {
  return paid_until_ - now > failures_on_credit * price_of_a_failure ? price_of_a_failure : Nanoseconds{0};
}

Nanoseconds FailureRecord::delay(const plan::RestartPolicy& policy, std::string_view name) const {
  if (in_a_row_ == 0 || (first_is_free_ && in_a_row_ == 1)) return Nanoseconds{0};
  const std::uint32_t steps = in_a_row_ - (first_is_free_ ? 2 : 1);
  const double cap = static_cast<double>(Nanoseconds(policy.max_delay).count());
  const double base = static_cast<double>(Nanoseconds(policy.delay).count());
  // 64 doublings are past any cap; the bound keeps pow() finite.
  const double grown = std::min(cap, base * std::pow(policy.factor, std::min<std::uint32_t>(steps, 64)));
  const double share = static_cast<double>(mix(name, total_) % 2001) / 1000.0 - 1.0;  // -1 to 1
  return Nanoseconds(static_cast<std::int64_t>(grown * (1.0 + policy.jitter * share)));
}

}  // namespace arizuko::engine
