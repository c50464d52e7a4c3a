// The plan's own words for its enumerations: read by the parser, shown by `check`.
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "arizuko/plan/plan.hpp"

namespace arizuko::plan {

template <class Value, std::size_t count>
using Words = std::array<std::pair<std::string_view, Value>, count>;

inline constexpr Words<RestartWhen, 3> restart_words{{
    {"always", RestartWhen::always},
    {"on-failure", RestartWhen::on_failure},
    {"never", RestartWhen::never},
}};
inline constexpr Words<Verdict, 2> verdict_words{{
    {"stay-down", Verdict::stay_down},
    {"end-pod", Verdict::end_pod},
}};
inline constexpr Words<Listener, 2> listener_words{{
    {"own", Listener::own},
    {"any", Listener::any},
}};
inline constexpr Words<LookedAt, 2> looked_at_words{{
    {"running", LookedAt::while_running},
    {"ready", LookedAt::while_ready},
}};
inline constexpr Words<Method, 4> method_words{{
    {"GET", Method::get},
    {"HEAD", Method::head},
    {"OPTIONS", Method::options},
    {"POST", Method::post},
}};
inline constexpr Words<LogFormat, 3> log_words{{
    {"console", LogFormat::console},
    {"json", LogFormat::json},
    {"journal", LogFormat::journal},
}};
inline constexpr Words<Encoding, 3> encoding_words{{
    {"hex", Encoding::hex},
    {"base64", Encoding::base64},
    {"base64url", Encoding::base64url},
}};
inline constexpr Words<ControlGroups, 2> control_groups_words{{
    {"auto", ControlGroups::when_delegated},
    {"off", ControlGroups::off},
}};

template <class Value, std::size_t count>
constexpr std::string_view word_of(const Words<Value, count>& words, Value value) {
  for (const auto& [word, meaning] : words) {
    if (meaning == value) return word;
  }
  return "?";
}

}  // namespace arizuko::plan
