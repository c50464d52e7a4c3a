#include "arizuko/posix/accounts.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "arizuko/posix/files.hpp"

namespace arizuko::posix {
namespace {

std::string_view take_until(char divider, std::string_view& text) {
  const std::string_view part = text.substr(0, text.find(divider));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

struct Entry {
  std::string_view name;
  std::uint32_t gid = 0;
};

/// name:password:uid:gid:... (passwd(5))
std::optional<Entry> find_user(std::uint32_t uid, std::string_view passwd) {
  while (!passwd.empty()) {
    std::string_view line = take_until('\n', passwd);
    std::array<std::string_view, 4> fields;
    for (std::string_view& field : fields) field = take_until(':', line);
    const auto gid = number(fields[3]);
    if (number(fields[2]) == uid && gid) return Entry{fields[0], *gid};
  }
  return std::nullopt;
}

/// name:password:gid:member,member (group(5))
void add_groups(std::string_view user, std::string_view group, std::vector<std::uint32_t>& groups) {
  while (!group.empty() && groups.size() < most_groups) {
    std::string_view line = take_until('\n', group);
    std::array<std::string_view, 3> fields;
    for (std::string_view& field : fields) field = take_until(':', line);
    const auto gid = number(fields[2]);
    bool member = false;
    while (!line.empty()) member = take_until(',', line) == user || member;
    if (member && gid && std::ranges::find(groups, *gid) == groups.end()) groups.push_back(*gid);
  }
}

}  // namespace

Account account_of(std::uint32_t uid, std::optional<std::uint32_t> gid, std::string_view passwd,
                   std::string_view group) {
  if (gid) return {uid, *gid, {*gid}};
  const auto user = find_user(uid, passwd);
  Account account{uid, user ? user->gid : uid, {}};
  account.groups.push_back(account.gid);
  if (user && !user->name.empty()) add_groups(user->name, group, account.groups);
  return account;
}

Account account_of(std::uint32_t uid, std::optional<std::uint32_t> gid) {
  constexpr std::size_t longest = 1024 * 1024;
  const auto text = [](const char* path) { return posix::read_file(path, longest).value_or(std::string{}); };
  return gid ? account_of(uid, gid, "", "") : account_of(uid, gid, text("/etc/passwd"), text("/etc/group"));
}

}  // namespace arizuko::posix
