// Who has a turn now: gated's queue of chats (upstream's queue/queue.go), as a value without I/O.
//
// One turn a chat, `most` at a time. A new message for a chat that has one is steered into it; where that
// fails the slot is given away and the chat starts a second turn beside the first.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rehearsal {

class Chats {
 public:
  explicit Chats(std::size_t most) : most_(most) {}

  // Marks a turn of `jid` as running in `container`; its number. Nothing: no place, it waits; or it has one.
  std::optional<std::uint64_t> begin(const std::string& jid, const std::string& container);
  // The container of the turn that is under way.
  std::optional<std::string> container(const std::string& jid) const;
  // The slot is free, the container runs on (steering failed).
  void forget(const std::string& jid);
  // Its failures in a row, if the turn still had its slot or not.
  unsigned end(const std::string& jid, std::uint64_t turn, bool went_well);
  // A new message: failures in a row before it, which it takes back. 0 while there are fewer than three.
  unsigned reset_breaker(const std::string& jid);
  // Those who wait and may have a place now.
  std::vector<std::string> take_waiting();

 private:
  struct Chat {
    std::uint64_t turn = 0;  // 0: none
    std::string container;
    unsigned failures = 0;
  };
  std::size_t most_, active_ = 0;
  std::uint64_t made_ = 0;
  std::map<std::string, Chat> chats_;
  std::deque<std::string> waiting_;
};

constexpr unsigned breaker_opens_at = 3;

}  // namespace rehearsal
