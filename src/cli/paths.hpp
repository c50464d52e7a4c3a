// Absolute paths as text.
#pragma once

#include <string>

namespace arizuko::cli {

/// The directory that holds `path`; "/" for what lies in the root.
inline std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

}  // namespace arizuko::cli
