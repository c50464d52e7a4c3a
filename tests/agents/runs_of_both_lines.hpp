// `docker run` as the daemons of each line call it: the words, and what of them makes the agent's pod. Seen
// from the real ones (gated of 2026-05, runed of 2026-08).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace arizuko::agents::testing {

struct LinesRun {
  std::string_view line;
  std::vector<std::string> words;
  /// -e as they are, empty values too.
  std::vector<std::pair<std::string, std::string>> env;
  /// What the Job mounts from the volume: path in the agent and its subPath, below the data directory.
  struct Mounted {
    std::string_view path;
    std::string_view below_data_dir;
    bool read_only;
  };
  std::vector<Mounted> mounts;
  /// What the Job does not mount, for the agent's image has it.
  std::vector<std::string_view> left_out;
};

inline std::vector<std::string> with(std::vector<std::string> words, std::vector<std::string> more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

inline const std::array<LinesRun, 2>& runs_of_both_lines() {
  static const std::vector<std::string> begin = {
      "run", "-i", "--rm", "--name", "arizuko-Andy-main-1732900000000", "--shm-size=1g"};
  static const std::array<LinesRun, 2> runs = {{
      {"gated",
       with(begin,
            {"-e", "TZ=Europe/Prague", "-v", "/host/demo/groups/main:/home/node", "-v",
             "/opt/arizuko:/workspace/self:ro", "-v", "/host/demo/ipc/main:/workspace/ipc", "image:1"}),
       {{"TZ", "Europe/Prague"}},
       {{"/home/node", "groups/main", false}, {"/workspace/ipc", "ipc/main", false}},
       {"/workspace/self"}},
      {"runed",
       with(begin,
            {"-e", "TZ=", "-e", "ARIZUKO_MODEL=", "-e", "ARIZUKO_QUERY_TIMEOUT_MS=", "-v",
             "/host/demo/groups/main:/home/node", "-v", "/host/demo/app-src:/opt/arizuko:ro", "-v",
             "/host/demo/groups/main/share:/var/lib/share", "-v", "/host/demo/ipc/main:/run/ipc", "image:1"}),
       {{"TZ", ""}, {"ARIZUKO_MODEL", ""}, {"ARIZUKO_QUERY_TIMEOUT_MS", ""}},
       {{"/home/node", "groups/main", false},
        {"/opt/arizuko", "app-src", true},
        {"/var/lib/share", "groups/main/share", false},
        {"/run/ipc", "ipc/main", false}},
       {}},
  }};
  return runs;
}

}  // namespace arizuko::agents::testing
