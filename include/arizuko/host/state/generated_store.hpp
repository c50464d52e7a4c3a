// The values that `run` made where no source had one: <state_dir>/generated/NAME, a file a key, mode 0600 in
// a directory of mode 0700.
//
// A file is written whole or not at all (write, fsync, rename, fsync of the directory), only where there is
// none or an empty one, and never in the place of another. What is found there is only taken from a regular
// file that belongs to us. Whoever makes or keeps values holds the data directory's lock; reading needs none.
// An error is a clause for people that names the file and what would work, and never holds a value.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "arizuko/host/state/state_dir.hpp"
#include "arizuko/plan/plan.hpp"
#include "arizuko/posix/files.hpp"

namespace arizuko::host {

class GeneratedStore {
 public:
  explicit GeneratedStore(StateDir state) : state_(std::move(state)) {}

  /// Whether there is nothing in the way of all of them.
  std::expected<void, std::string> look() const;

  /// nullopt: there is no such file, or it is empty. One line end behind the value does not belong to it.
  std::expected<std::optional<std::string>, std::string> read(const std::string& key) const;

  /// A new random value, by getrandom(2), once it is kept.
  std::expected<std::string, std::string> make(const plan::Generated& what) const;

  /// Keeps this value where there is no file, or an empty one.
  std::expected<void, std::string> keep(const std::string& key, std::string_view value) const;

  /// Takes away what others may do with the files that are there: a kubelet gives a volume's group every
  /// right to all that is in it (fsGroup).
  void close_to_others(const plan::EnvPolicy& env) const;

  std::string path(const std::string& key) const { return state_.path("generated/" + key); }

 private:
  std::string cannot_use(const posix::FileTrouble& trouble) const;

  StateDir state_;
};

}  // namespace arizuko::host
