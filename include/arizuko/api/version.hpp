// The version of this program, in one place for `version` and for the build_info metric.
#pragma once

#include <string_view>

#ifndef ARIZUKO_VERSION
#define ARIZUKO_VERSION "0.1.0"
#endif

namespace arizuko::api {

inline constexpr std::string_view version = ARIZUKO_VERSION;

}  // namespace arizuko::api
