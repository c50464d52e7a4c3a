#include "washer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace arizuko::host {

std::vector<std::string> Washer::learn(const plan::Plan& running, const plan::Plan& coming,
                                       const env::Snapshot& newest) {
  keep_out_of_swap(newest);
  env::Secrets secrets = env::secrets_of(running, newest);
  if (&coming != &running) {
    env::Secrets more = env::secrets_of(coming, newest);
    secrets.values.insert(secrets.values.end(), more.values.begin(), more.values.end());
    secrets.too_short = std::move(more.too_short);
  }
  const env::Redactor::Taken taken = redactor_.take(secrets.values);

  std::vector<std::string> told;
  if (secrets.too_short != too_short_ && !secrets.too_short.empty()) {
    told.push_back(fmt::format("shorter than {} bytes, so not redacted where a daemon shows it: {}",
                               env::min_secret_bytes, fmt::join(secrets.too_short, ", ")));
  }
  too_short_ = std::move(secrets.too_short);
  if (!taken.left_out.empty()) {
    told.push_back(fmt::format(
        "not redacted in every encoding, for there are more than {} patterns or {} MiB of them: {}",
        env::max_patterns, env::max_pattern_bytes >> 20, fmt::join(taken.left_out, ", ")));
  }
  if (taken.forgotten > 0) {
    told.push_back(
        fmt::format("the {} oldest former secret values are not redacted any more: there are more "
                    "than {} patterns or {} MiB of them",
                    taken.forgotten, env::max_patterns, env::max_pattern_bytes >> 20));
  }
  return told;
}

}  // namespace arizuko::host
