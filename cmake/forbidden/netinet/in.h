#error "plan/, env/ and engine/ are pure: no Boost, no POSIX, no thread. Put what acts into host/."
