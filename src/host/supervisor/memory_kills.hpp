// Which processes the kernel killed because memory ran out.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>

#include "arizuko/host/groups/control_groups.hpp"
#include "host/groups/memory_events.hpp"

namespace arizuko::host {

/// What a main process's end says of kills in its group.
struct KillsAtTheEnd {
  bool of_main = false;
  std::uint64_t of_others = 0;
};
/// `kills`: new ones in the group; `by_sigkill`: how the main process ended.
KillsAtTheEnd kills_at_the_end(std::uint64_t kills, bool by_sigkill);

class MemoryKills {
 public:
  /// Killed processes of a service beside its main process.
  using Tell = std::function<void(const std::string& service, std::uint64_t killed)>;

  /// `groups`: where each service has its own, with a count; nullptr: only the container's count can be had.
  MemoryKills(boost::asio::io_context& io, const ControlGroups* groups, Tell tell);

  /// The group of this service was made just now: its count begins at 0.
  void begin(const std::string& service);
  /// Whether the main process of this service, which ended with this status (waitpid(2)), was killed because
  /// memory ran out. Tells of others.
  bool ended_main(const std::string& service, int wait_status);

 private:
  std::uint64_t news(const std::string& service);

  const ControlGroups* groups_;
  Tell tell_;
  std::optional<MemoryEvents> events_;         // with groups
  std::map<std::string, std::uint64_t> seen_;  // by service
  std::optional<OwnMemoryEvents> own_;         // without
  std::uint64_t own_seen_ = 0;
};

}  // namespace arizuko::host
