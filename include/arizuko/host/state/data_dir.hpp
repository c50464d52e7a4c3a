// The instance's data directory, where it is missing.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "arizuko/posix/accounts.hpp"

namespace arizuko::host {

struct DataDirError {
  enum class Step { make, find_parent, give_away } step;
  std::string path;  // the one that failed
  int error;         // errno
  unsigned uid;      // whose it was to be
};
/// What failed, why, and what would work.
std::string to_text(const DataDirError& error);

enum class Parents {
  must_be_there,  // a missing parent is a volume that was not mounted
  are_made,       // of a rehearsal: below the user's state directory
};

/// Makes `path` (0755) unless it is a directory already. Root makes it for `owner`.
std::expected<void, DataDirError> make_data_dir(const std::string& path, Parents parents,
                                                const std::optional<posix::Account>& owner);

}  // namespace arizuko::host
