// Reads the plan's sources into one snapshot: the process environment, dotenv files, directories of
// files in the kubelet's layout.
//
// A directory with a `..data` link is read as one generation: readlink, read every key below it,
// readlink again, and once more when it moved meanwhile (kubernetes.md, "A Secret or ConfigMap
// volume"). Every read is bounded, all pauses of one call together to about 100 ms. Problems name the
// source and the key, never a value.
//
// Of a directory: names that begin with '.' and subdirectories are skipped, names that are no variable's
// are reported and skipped. At a value's edges the same is dropped as a dotenv file's reader drops: a UTF-8
// byte order mark before it, one line end (LF, CR LF or CR) after it; all but a single LF is reported. Of the
// process environment: entries whose names are no variable's are skipped silently.
//
// A value that cannot be used (a NUL byte, longer than a variable may be, a file that cannot be read) is one
// key's trouble: it is reported, has no value, and stands in Snapshot::unusable. Of a source with `only`,
// whatever is wrong is the trouble of these keys at most: others can write to it.
#pragma once

#include <string>
#include <vector>

#include "arizuko/env/snapshot.hpp"
#include "arizuko/plan/plan.hpp"

namespace arizuko::host {

struct SourceProblem {
  enum class Weight {
    notice,  // reported; no more than one key's trouble
    error,   // the snapshot is not usable: a source that cannot be read
  };
  Weight weight = Weight::error;
  std::string source;  // "dotenv:/srv/.../.env:12" or "dir:/etc/arizuko/secrets"
  std::string key;     // empty when it is about the whole source
  std::string what;    // what is wrong and what would be right
};

std::string to_text(const SourceProblem& problem);

struct ReadResult {
  env::Snapshot snapshot;  // with generation 0: the caller numbers it
  std::vector<SourceProblem> problems;
  bool usable() const;  // no problem of weight error
};

inline constexpr std::size_t max_source_bytes = 1024 * 1024;  // a Secret's own limit
inline constexpr std::size_t max_source_keys = 4096;

/// Reads all sources in order, later ones win; what was generated is not among them (generated_values.hpp). A
/// source that does not exist is empty: an optional Secret, a .env that `arizuko create` has not written yet.
/// `process_environment` is `environ`.
ReadResult read_sources(const std::vector<plan::Source>& sources, char** process_environment);

}  // namespace arizuko::host
