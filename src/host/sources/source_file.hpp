// One file of a source: read whole and bounded, or why not, as an operator can mend it.
//
// Private to the sources. Whoever writes beside us (the kubelet, an editor) is told apart from what stays
// wrong.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "arizuko/posix/files.hpp"

namespace arizuko::host {

/// What a writer at work looks like from outside: tried again before it counts (kubernetes.md).
enum class Motion { settled, moving };

struct SourceTrouble {
  Motion motion = Motion::settled;
  bool absent = false;
  std::string what;
  std::string key = {};
};

/// Why the file or directory at `path` could not be opened. `remedy` follows when it is closed to this user.
SourceTrouble cannot_open(int directory, const char* path, const posix::FileTrouble& why,
                          std::string_view remedy);

struct SourceFile {
  std::string text;
  mode_t mode = 0;
};

/// All of an open file; `too_large` is the trouble when that is more than `max_bytes`.
std::expected<SourceFile, SourceTrouble> read_whole(const posix::Descriptor& file, std::size_t max_bytes,
                                                    std::string_view too_large);

}  // namespace arizuko::host
