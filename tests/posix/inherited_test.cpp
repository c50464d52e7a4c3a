#include "arizuko/posix/inherited.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

TEST_CASE(
    "inherited: descriptors 0 to 2 that are closed at the start become /dev/null, and no file gets their "
    "number") {
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(0);
    ::close(1);
    ::close(2);
    arizuko::posix::open_standard_descriptors();
    for (int number = 0; number <= 2; ++number) {
      struct stat info{};
      const bool null = ::fstat(number, &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);
      if (!null) ::_exit(1 + number);
    }
    ::_exit(::open("/", O_RDONLY) > 2 ? 0 : 9);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
}

TEST_CASE("inherited: descriptors that are open stay as they are") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], 1);
    ::close(2);
    arizuko::posix::open_standard_descriptors();
    ::_exit(::write(1, "x", 1) == 1 && ::fcntl(2, F_GETFD) >= 0 ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  char byte = 0;
  CHECK(::read(ends[0], &byte, 1) == 1);
  ::close(ends[0]);
  ::close(ends[1]);
}
