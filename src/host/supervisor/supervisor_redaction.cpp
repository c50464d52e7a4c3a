// Secret values in what leaves us: what is known of them, and the texts that pass through here.
#include <fmt/format.h>

#include "supervisor_impl.hpp"

namespace arizuko::host {

namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

/// Tells the redactor the newest values: before anything is started with them. What is secret depends on the
/// plan, too: a plan that was read and waits to be taken may hand out what the running one does not.
void Supervisor::Impl::learn_secrets() {
  env::Secrets secrets = env::secrets_of(*engine.plan(), *newest);
  if (sources_plan && sources_plan != engine.plan()) {
    const env::Secrets coming = env::secrets_of(*sources_plan, *newest);
    secrets.values.insert(secrets.values.end(), coming.values.begin(), coming.values.end());
    secrets.too_short = coming.too_short;
  }
  const env::Redactor::Taken taken = redactor.take(secrets.values);
  if (secrets.too_short != short_secrets && !secrets.too_short.empty()) {
    log(Level::warn, fmt::format("shorter than {} bytes, so not redacted where a daemon shows it: {}",
                                 env::min_secret_bytes, joined(secrets.too_short)));
  }
  short_secrets = secrets.too_short;
  if (!taken.left_out.empty()) {
    log(Level::warn,
        fmt::format(
            "not redacted in every encoding, for there are more than {} patterns or {} MiB of them: {}",
            env::max_patterns, env::max_pattern_bytes >> 20, joined(taken.left_out)));
  }
  if (taken.forgotten > 0) {
    log(Level::warn,
        fmt::format("the {} oldest former secret values are not redacted any more: there are more "
                    "than {} patterns or {} MiB of them",
                    taken.forgotten, env::max_patterns, env::max_pattern_bytes >> 20));
  }
}

/// What the engine is told comes out again in states, causes and verdicts: it goes in clean.
void Supervisor::Impl::clean(engine::Event& event) {
  std::visit(
      [this](auto& each) {
        if constexpr (requires { each.reason; }) redactor.clean(each.reason);
        if constexpr (requires { each.leftovers; }) redactor.clean(each.leftovers);
        if constexpr (requires { each.detail; }) redactor.clean(each.detail);
        if constexpr (requires { each.last_words; }) redactor.clean(each.last_words);
        if constexpr (requires { each.cause; }) redactor.clean(each.cause);
        if constexpr (requires { each.by; }) redactor.clean(each.by);
      },
      event);
}

void Supervisor::redact(std::string& text) const { impl_->redactor.clean(text); }

}  // namespace arizuko::host
