#include "arizuko/posix/inherited.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace arizuko::posix {

void open_standard_descriptors() {
  for (int number = 0; number <= 2; ++number) {
    if (::fcntl(number, F_GETFD) >= 0) continue;
    // open(2) takes the lowest number that is free: this one. Where there is no /dev, a place that can be
    // neither read nor written.
    if (::open("/dev/null", O_RDWR) < 0) ::open("/", O_PATH | O_DIRECTORY);
  }
}

}  // namespace arizuko::posix
