// Files in which a daemon keeps a login, moved out of its way and back (plan: `cached`).
//
// They lie where the daemons write, so nothing on the way to one is trusted: no link is followed below the
// data directory, and only a regular file is moved, by renameat(2) within its directory.
#pragma once

#include <expected>
#include <string>

#include "arizuko/engine/action.hpp"

namespace arizuko::host {

inline constexpr const char* aside_suffix = ".set-aside";

/// `file` is absolute and below `data_dir`. A file that is not there is no error. The error is a clause.
std::expected<void, std::string> move_login(const std::string& data_dir, const std::string& file,
                                            engine::LoginFiles::Do what);

}  // namespace arizuko::host
