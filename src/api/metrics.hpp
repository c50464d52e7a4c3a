// What Prometheus scrapes: text format 0.0.4. The names are documented in docs/reference/metrics.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "arizuko/host/supervisor/instance.hpp"

namespace arizuko::api {

/// What the kernel says of this process.
struct ProcessFacts {
  std::uint64_t resident_bytes = 0;
  double cpu_seconds = 0;
};
/// Reads /proc/self/statm and CLOCK_PROCESS_CPUTIME_ID; zeros where they cannot be read.
ProcessFacts process_facts();

std::string metrics_text(const host::Instance& instance, const ProcessFacts& facts);

/// Backslash, double quote and line feed escaped, as label values need.
std::string escape_label(std::string_view text);

}  // namespace arizuko::api
