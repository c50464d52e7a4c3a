#include "arizuko/posix/descriptor.hpp"

#include <cerrno>

#include <unistd.h>

namespace arizuko::posix {

void Descriptor::close() {
  if (number_ < 0) return;
  const int before = errno;
  ::close(std::exchange(number_, -1));
  errno = before;
}

}  // namespace arizuko::posix
