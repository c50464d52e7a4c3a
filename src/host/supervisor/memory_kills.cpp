#include "memory_kills.hpp"

#include <csignal>
#include <utility>

#include <sys/wait.h>

namespace arizuko::host {

KillsAtTheEnd kills_at_the_end(std::uint64_t kills, bool by_sigkill) {
  const bool of_main = by_sigkill && kills != 0;
  return {of_main, kills - (of_main ? 1 : 0)};
}

MemoryKills::MemoryKills(boost::asio::io_context& io, const ControlGroups* groups, Tell tell)
    : groups_(groups), tell_(std::move(tell)) {
  if (groups_ == nullptr) {
    own_.emplace();
    own_seen_ = own_->kills().value_or(0);
    return;
  }
  events_.emplace(io, [this](const std::string& service) {
    if (const std::uint64_t killed = news(service); killed != 0) tell_(service, killed);
  });
}

void MemoryKills::begin(const std::string& service) {
  seen_[service] = 0;
  if (events_) events_->watch(service, groups_->file(service, "memory.events"));
}

std::uint64_t MemoryKills::news(const std::string& service) {
  const std::uint64_t now = groups_->memory_kills(service);
  const std::uint64_t before = std::exchange(seen_[service], now);
  return now > before ? now - before : 0;
}

// Where there are no groups, as in a pod, the container's own count is evidence enough: something in it was
// killed because memory ran out since the last such look, and this was killed.
bool MemoryKills::ended_main(const std::string& service, int wait_status) {
  const bool by_sigkill = WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL;
  if (events_) {
    const KillsAtTheEnd kills = kills_at_the_end(news(service), by_sigkill);
    if (kills.of_others != 0) tell_(service, kills.of_others);
    return kills.of_main;
  }
  if (!by_sigkill) return false;
  const std::uint64_t now = own_->kills().value_or(0);
  return now > std::exchange(own_seen_, now);
}

}  // namespace arizuko::host
