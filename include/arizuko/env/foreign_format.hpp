// Washed texts in fmt's sentences; there is none for Foreign ones.
#pragma once

#include <fmt/format.h>

#include "arizuko/env/foreign.hpp"

template <>
struct fmt::formatter<arizuko::env::Washed> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const arizuko::env::Washed& washed, Context& context) const {
    return fmt::formatter<std::string_view>::format(washed.text(), context);
  }
};
