// libstdc++ itself includes this one, deep inside its own headers; ours would be near the top.
#if __INCLUDE_LEVEL__ <= 3
#error "plan/, env/ and engine/ are pure: no Boost, no POSIX, no thread. Put what acts into host/."
#endif
#include_next <unistd.h>
