#include "whose_listener.hpp"

#include <fmt/format.h>

namespace arizuko::host {
namespace {

constexpr std::string_view look_no_more = "or set listener = \"any\" to look no more";

Whose untold(std::string why) { return {Whose::Is::cannot_tell, std::nullopt, std::move(why)}; }

}  // namespace

Whose whose_listener(std::span<const pid_t> members, const Inodes& inodes,
                     const std::function<std::string(const Holder&)>& name_of) {
  // Somebody has just accepted: what is not seen is there all the same.
  if (!inodes || inodes->empty())
    return untold(
        fmt::format("neither sock_diag(7) nor /proc/net shows it; allow one of them, {}", look_no_more));
  const HeldLook own = find_held(members, *inodes);
  if (own.held) return {Whose::Is::own, own.held, ""};
  if (!proc_is_there()) return untold(fmt::format("no /proc is mounted; mount it, {}", look_no_more));
  if (const auto holder = find_holder(*inodes))
    return {Whose::Is::foreign, std::nullopt, fmt::format("is held by {}", name_of(*holder))};
  if (own.unseen != 0) {
    return untold(fmt::format(
        "the kernel does not show what process {} has open; give arizuko-init CAP_SYS_PTRACE, let "
        "that program be read by its user, {}",
        own.unseen, look_no_more));
  }
  return {Whose::Is::foreign, std::nullopt,
          "is held by none of its processes, but by one that cannot be seen from here (another user or "
          "container)"};
}

}  // namespace arizuko::host
