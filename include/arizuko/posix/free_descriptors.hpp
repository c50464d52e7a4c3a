// How many descriptors this process may still open.
#pragma once

#include <cstddef>

namespace arizuko::posix {

/// Up to `enough`: whoever only wants to know whether there are so many need not have all counted. Looks at
/// the soft limit of now (RLIMIT_NOFILE), so it follows prlimit(1).
std::size_t free_descriptors(std::size_t enough);

}  // namespace arizuko::posix
