// Remembers what the guarded values of the last run were like, without the values: a salted, deliberately
// slow fingerprint of each (Argon2id, 1 MiB, by libsodium) in <state_dir>/guarded.json, mode 0600.
//
// With it a changed AUTH_SECRET is noticed at the next start, before gated runs with it and deletes what
// it cannot decrypt (T16). The file is replaced whole (write, fsync, rename). One that cannot be read
// makes every guarded value unlike the last run's: to ask once too often loses nothing.
//
// The operator may accept by a variable of arizuko-init's own environment, ARIZUKO_ACCEPT_GUARDED="KEY ...":
// for one change. Set on, it accepts no further one; a start without it arms it again.
#pragma once

#include <array>
#include <expected>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/env/snapshot.hpp"
#include "arizuko/host/state/state_dir.hpp"

namespace arizuko::host {

inline constexpr const char* accept_guarded_variable = "ARIZUKO_ACCEPT_GUARDED";

class GuardedStore {
 public:
  /// Reads the file. `accepted` is the value of ARIZUKO_ACCEPT_GUARDED, names divided by blanks or commas.
  GuardedStore(StateDir state, std::string_view accepted);

  /// Why the file cannot be used, in a sentence; empty: it can, or there is none yet.
  const std::string& trouble() const { return trouble_; }

  /// Those of `keys` whose value (or absence) is not that of the last run, and that no variable accepts.
  /// About 2 ms for each key whose value was not asked for before.
  std::vector<std::string> unlike_last_run(const std::vector<std::string>& keys,
                                           const env::Snapshot& snapshot);

  /// Names in the variable that accept nothing any more: they did so for an earlier change.
  std::vector<std::string> spent() const;

  /// Nothing is remembered, and there is no trouble: a first start, or somebody has deleted the file.
  bool knows_nothing() const { return marks_.empty() && trouble_.empty(); }
  const std::string& path() const { return path_; }

  /// This is the value now. The error is a sentence; then the file is as it was, and write_again() is due.
  std::expected<void, std::string> remember(const std::string& key, const env::Snapshot& snapshot);
  /// Writes what is remembered once more: where that failed, or to learn whether it would.
  std::expected<void, std::string> write_again() const { return write(); }
  /// Writes the file if it was taken away meanwhile. For the end of a run.
  void put_back() const;

  /// The first 8 hexadecimal digits of the fingerprint that is remembered; empty: none is.
  std::string digits(const std::string& key) const;

 private:
  struct Mark {
    std::string salt;         // hexadecimal
    std::string fingerprint;  // hexadecimal; empty: the value was not set
    bool accepted_by_variable = false;
    bool operator==(const Mark&) const = default;
  };

  using Mac = std::array<unsigned char, 32>;

  Mac mac_of(const std::string& value) const;
  void read();
  std::expected<void, std::string> write() const;
  bool is_like(const std::string& key, const std::string* value);

  StateDir state_;
  std::string path_;  // for messages
  std::string trouble_;
  std::set<std::string, std::less<>> accepted_;
  std::map<std::string, Mark> marks_;
  std::array<unsigned char, 32> mac_key_{};                           // of this run
  std::map<std::string, std::pair<std::optional<Mac>, bool>> asked_;  // the last answer, by key
};

}  // namespace arizuko::host
