#include "arizuko/posix/accounts.hpp"

#include <doctest/doctest.h>

using arizuko::posix::Account;
using arizuko::posix::account_of;

namespace {

constexpr const char* passwd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "broken\n"
    "x:x:1000:no number::/:\n"
    "node:x:1000:1001::/home/node:/bin/sh\n"
    "second:x:1000:7::/:/bin/sh\n";
constexpr const char* group =
    "root:x:0:second\n"
    "docker:x:999:alice,node,bob\n"
    "broken:x\n"
    "audio:x:29:node\n"
    "twice:x:1001:node\n"
    "nodes:x:30:nodes\n";

}  // namespace

TEST_CASE("accounts: a uid has the group and the groups of its entry, each once") {
  CHECK(account_of(1000, std::nullopt, passwd, group) == Account{1000, 1001, {1001, 999, 29}});
}

TEST_CASE("accounts: a uid without an entry has the group of its number and no group of root's") {
  CHECK(account_of(1234, std::nullopt, passwd, group) == Account{1234, 1234, {1234}});
  CHECK(account_of(1234, std::nullopt, "", "") == Account{1234, 1234, {1234}});
}

TEST_CASE("accounts: a gid of the plan is the only group") {
  CHECK(account_of(1000, 5, passwd, group) == Account{1000, 5, {5}});
}

TEST_CASE("accounts: no more groups are taken than the limit") {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "g:x:" + std::to_string(5000 + i) + ":node\n";
  CHECK(account_of(1000, std::nullopt, passwd, many).groups.size() == arizuko::posix::most_groups);
}
