// Which file a path names, and in which state: to tell a readiness file that this run wrote from one that an
// earlier run left.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <sys/types.h>
#include <time.h>

#include "arizuko/plan/plan.hpp"

namespace arizuko::host {

/// Another one, or the same one written, touched or renamed since: its ctime, which no program can set
/// (inode(7)).
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  std::int64_t changed_ns = 0;
  bool operator==(const FileIdentity&) const = default;
};

/// nullopt: there is none.
std::optional<FileIdentity> file_identity(const std::string& path);

/// The files of the `ready.file` conditions that are there, by watch number: before the run begins.
std::map<std::uint32_t, FileIdentity> ready_files(const plan::Service& service);

}  // namespace arizuko::host
