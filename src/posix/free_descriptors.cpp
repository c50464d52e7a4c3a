#include "arizuko/posix/free_descriptors.hpp"

#include <fcntl.h>
#include <sys/resource.h>

namespace arizuko::posix {

std::size_t free_descriptors(std::size_t enough) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return enough;
  // From the top: the kernel gives out the lowest that is free, so that is where they are.
  std::size_t free = 0;
  for (auto number = limit.rlim_cur; number > 0 && free < enough; --number) {
    if (number > (rlim_t{1} << 20)) return enough;  // more than any process here has open
    if (::fcntl(static_cast<int>(number - 1), F_GETFD) == -1) ++free;
  }
  return free;
}

}  // namespace arizuko::posix
