// Who a numeric user is: its group and its further groups, by /etc/passwd and /etc/group.
//
// The C library's own way (getpwuid) loads modules, which a static program cannot. Both files are read
// bounded; a line that is none is passed over. A uid without an entry has the group of its own number, never
// one of ours.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace arizuko::posix {

struct Account {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  // gid included
  bool operator==(const Account&) const = default;
};

inline constexpr std::size_t most_groups = 64;

/// By the text of the two files. With a `gid` it is the only group.
Account account_of(std::uint32_t uid, std::optional<std::uint32_t> gid, std::string_view passwd,
                   std::string_view group);

/// By the files of this system; what cannot be read is empty.
Account account_of(std::uint32_t uid, std::optional<std::uint32_t> gid);

}  // namespace arizuko::posix
