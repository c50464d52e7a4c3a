// What a process takes over from whoever started it, and must not depend on.
#pragma once

namespace arizuko::posix {

/// Opens to /dev/null those of the descriptors 0 to 2 that are closed. Before anything else is opened: the
/// next file, the lock say, would get the number, and what is printed would be written into it.
void open_standard_descriptors();

}  // namespace arizuko::posix
