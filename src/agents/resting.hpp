// A turn waits for up to an hour, and fifty may wait at once: what they then hold should be little.
#pragma once

namespace arizuko::agents {

/// Gives back what only the beginning needed: free heap, and the mapping of the program's own code, of which
/// the kernel maps far more than was run. What is run again comes back from the page cache.
void rest();

}  // namespace arizuko::agents
