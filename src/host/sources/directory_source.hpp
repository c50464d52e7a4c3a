// A source that is a directory of files, a key each, also in the kubelet's ..data layout
// (environment_reader.hpp says what is taken of it).
#pragma once

#include <optional>
#include <string>

#include "collector.hpp"
#include "source_file.hpp"

namespace arizuko::host {

/// After the last one, what is still in motion counts as it is.
enum class Attempt { one_of_several, last };

/// Adds what it holds. The trouble is the directory's; a key's own goes to the collector, but for what is
/// still in motion at one of several attempts.
std::optional<SourceTrouble> read_directory(const std::string& path, Collector& collector, Attempt attempt);

}  // namespace arizuko::host
