// What is known of a source without reading a value: for the slow comparison of the source watcher.
#pragma once

#include <cstdint>
#include <optional>

#include "arizuko/plan/plan.hpp"

namespace arizuko::host {

/// A hash over names, owners, sizes and times of a source's files. Nothing when it could not be looked at
/// for want of descriptors or memory.
std::optional<std::uint64_t> fingerprint_of(const plan::Source& source);

}  // namespace arizuko::host
