// What a child is to be: the whole of what reaches it. Spawner (spawner.hpp) makes it so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace arizuko::host {

struct ChildSpec {
  std::string executable;                // path with a '/', see find_executable
  std::vector<std::string> argv;         // argv[0] included
  std::vector<std::string> environment;  // "NAME=value"
  std::string cwd;                       // absolute; empty: ours
  int out = -1;                          // becomes descriptor 1; -1: /dev/null
  int err = -1;                          // becomes descriptor 2; descriptor 0 is /dev/null
  std::uint64_t nofile = 0;              // soft RLIMIT_NOFILE; 0: as inherited
  std::uint64_t limit_mark = 0;          // soft RLIMIT_RTTIME: limit_mark() of run_mark.hpp
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::vector<std::uint32_t> groups;  // supplementary ones of that user; empty: gid
  std::uint32_t umask = 022;
  int group = -1;  // directory of the control group that it is born in (cgroup v2); -1: ours
};

}  // namespace arizuko::host
