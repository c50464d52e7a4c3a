// Counts what a child that shares our memory allocates: by operator new, under the address sanitizer by
// malloc.
#pragma once

namespace arizuko::host::testing {

/// From now on; children of this process, in its memory.
void watch_allocations_of_children();
/// How many there were; none is counted any more.
int allocations_of_children();

}  // namespace arizuko::host::testing
