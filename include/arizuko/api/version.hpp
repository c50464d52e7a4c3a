// The version of this program, for `version` and for the build_info metric. It stands in CMake's project().
#pragma once

#include <string_view>

#ifndef ARIZUKO_VERSION
#error "src/CMakeLists.txt hands the version in"
#endif

namespace arizuko::api {

inline constexpr std::string_view version = ARIZUKO_VERSION;

}  // namespace arizuko::api
