// Small questions to the file system. Private to the doctor layer.
#pragma once

#include <optional>
#include <string>

#include <sys/stat.h>

#include "arizuko/doctor/checks.hpp"
#include "arizuko/posix/descriptor.hpp"

namespace arizuko::doctor {

/// nullopt: not there, or not to be looked at; errno says which.
std::optional<struct stat> look_at(const std::string& path);

/// "owner 0:0, mode 0755"
std::string owner_text(const struct stat& info);

enum class Right : unsigned { read = 4, write = 2, enter = 1 };
/// What the mode bits give `user`; root may do all.
bool may(const User& user, const struct stat& info, Right right);

/// At most `limit` bytes of a regular file; nullopt, with errno, when it cannot be read. EFBIG: more than
/// that.
std::optional<std::string> read_bounded(const std::string& path, std::size_t limit);

/// `path`, or the first directory on the way up that is there.
std::string nearest_directory(std::string path);

using posix::Descriptor;

}  // namespace arizuko::doctor
