# Warnings, sanitizers and the static link: what every target of the project is built with.

add_library(arizuko_compiler INTERFACE)
target_compile_options(arizuko_compiler INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
  -Werror=switch-enum -Werror=return-type -fstack-protector-strong
  # A read behind the end of a string, a vector or an optional ends the program, in what is shipped too.
  -D_GLIBCXX_ASSERTIONS)
if(ARIZUKO_WERROR)
  target_compile_options(arizuko_compiler INTERFACE -Werror)
endif()

# Assertions guard the engine's invariants; they stay on in every preset but release.
# Fuzzing and sanitizers must see frames to be of use.
if(ARIZUKO_SANITIZE)
  target_compile_options(arizuko_compiler INTERFACE
    -fsanitize=${ARIZUKO_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    -gline-tables-only)  # all that a report shows; the rest of -g is a third of the build's time
  target_link_options(arizuko_compiler INTERFACE -fsanitize=${ARIZUKO_SANITIZE})
endif()

# The fuzzers steer by the coverage of every layer, not only of their own file.
if(ARIZUKO_FUZZERS)
  target_compile_options(arizuko_compiler INTERFACE -fsanitize=fuzzer-no-link)
endif()

target_link_options(arizuko_compiler INTERFACE -fuse-ld=lld)
if(ARIZUKO_STATIC)
  target_compile_options(arizuko_compiler INTERFACE
    -ffunction-sections -fdata-sections
    # The same program whatever the directory is called: scripts/reproduce. __DATE__ and __TIME__ are errors.
    -ffile-prefix-map=${PROJECT_SOURCE_DIR}/= -Werror=date-time
    # What it costs, and why -fcf-protection is not here: docs/explanation/performance.md, "Hardening".
    -fPIE -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  target_link_options(arizuko_compiler INTERFACE -static-pie -Wl,-z,relro,-z,now -Wl,--pack-dyn-relocs=relr
    -Wl,--gc-sections -Wl,--icf=all -s)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

# Debian 12 has no static libfmt. Its code is compiled once, in src/libraries/fmt.cpp: the header-only form takes
# every file that formats anything about as long again as its own code does.
add_library(arizuko_fmt STATIC ${PROJECT_SOURCE_DIR}/src/libraries/fmt.cpp)
target_link_libraries(arizuko_fmt PUBLIC arizuko_compiler)
target_compile_options(arizuko_fmt PRIVATE -w)

# Asio, Beast, JSON and Process are compiled once, in src/libraries/; whoever includes them only declares.
add_library(arizuko_boost INTERFACE)
target_compile_definitions(arizuko_boost INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  BOOST_PROCESS_V2_SEPARATE_COMPILATION BOOST_PROCESS_USE_STD_FS
  # A pidfd that is refused after the fork would be thrown about, and the child left to itself.
  BOOST_PROCESS_V2_DISABLE_PIDFD_OPEN
  BOOST_ASIO_DISABLE_THREADS
  # Asio allocates by operator new, which knows of the memory that is put by (posix/memory_reserve.hpp).
  BOOST_ASIO_DISABLE_STD_ALIGNED_ALLOC BOOST_ASIO_DISABLE_BOOST_ALIGN)
