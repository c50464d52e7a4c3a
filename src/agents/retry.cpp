#include "retry.hpp"

#include <algorithm>

namespace arizuko::agents {
namespace {

constexpr Milliseconds first_pause{200};
constexpr Milliseconds longest_pause{10'000};
constexpr double spread = 0.4;
constexpr unsigned most_refused_tokens = 3;

bool may_pass(const Attempt& attempt) {
  // The kubelet replaces a token some time before it ends, and the file is read again for every request: a
  // refusal right at the change heals by itself, any other does not.
  if (attempt.status == 401) return attempt.number < most_refused_tokens;
  return attempt.status == 0 || attempt.status == 408 || attempt.status == 429 || attempt.status >= 500;
}

Milliseconds backoff(const Attempt& attempt) {
  const auto doublings = std::min(attempt.number - 1, 10u);
  const auto pause = std::min(first_pause * (1u << doublings), longest_pause);
  const double factor = 1.0 + spread * (attempt.luck - 0.5);
  return Milliseconds{static_cast<Milliseconds::rep>(static_cast<double>(pause.count()) * factor)};
}

}  // namespace

std::optional<Milliseconds> pause_before_retry(const Attempt& attempt, Milliseconds budget) {
  if (!may_pass(attempt)) return std::nullopt;
  const auto pause = std::max(backoff(attempt), attempt.retry_after.value_or(Milliseconds{0}));
  if (attempt.elapsed + pause > budget) return std::nullopt;
  return pause;
}

}  // namespace arizuko::agents
