#include <doctest/doctest.h>

#include <string>

#include "arizuko/posix/unix_address.hpp"

using arizuko::posix::UnixAddress;

TEST_CASE("unix address: a path ends with its NUL, a name outside the file system with its last byte") {
  const auto path = UnixAddress::of("/run/x");
  REQUIRE(path);
  CHECK(path->is_path());
  CHECK(path->get()->sa_family == AF_UNIX);
  CHECK(path->size() == offsetof(sockaddr_un, sun_path) + 7);

  const auto name = UnixAddress::of("@x");
  REQUIRE(name);
  CHECK_FALSE(name->is_path());
  CHECK(name->size() == offsetof(sockaddr_un, sun_path) + 2);
  CHECK(reinterpret_cast<const sockaddr_un*>(name->get())->sun_path[1] == 'x');
}

TEST_CASE("unix address: what does not fit is none") {
  CHECK(UnixAddress::of(std::string(107, 'x')));
  CHECK_FALSE(UnixAddress::of(std::string(108, 'x')));
  CHECK_FALSE(UnixAddress::of(""));
}
