#include "chats.hpp"

#include <algorithm>
#include <utility>

namespace rehearsal {

std::optional<std::uint64_t> Chats::begin(const std::string& jid, const std::string& container) {
  auto& chat = chats_[jid];
  if (chat.turn != 0) return std::nullopt;
  if (active_ >= most_) {
    if (std::ranges::find(waiting_, jid) == waiting_.end()) waiting_.push_back(jid);
    return std::nullopt;
  }
  ++active_;
  chat.turn = ++made_;
  chat.container = container;
  return chat.turn;
}

std::optional<std::string> Chats::container(const std::string& jid) const {
  const auto found = chats_.find(jid);
  if (found == chats_.end() || found->second.turn == 0) return std::nullopt;
  return found->second.container;
}

void Chats::forget(const std::string& jid) {
  auto& chat = chats_[jid];
  if (chat.turn == 0) return;
  chat.turn = 0;
  --active_;
}

unsigned Chats::end(const std::string& jid, std::uint64_t turn, bool went_well) {
  auto& chat = chats_[jid];
  chat.failures = went_well ? 0 : chat.failures + 1;
  if (chat.turn == turn) forget(jid);
  return chat.failures;
}

unsigned Chats::reset_breaker(const std::string& jid) {
  auto& chat = chats_[jid];
  if (chat.failures < breaker_opens_at) return 0;
  return std::exchange(chat.failures, 0);
}

std::vector<std::string> Chats::take_waiting() {
  std::vector<std::string> taken;
  while (!waiting_.empty() && active_ + taken.size() < most_) {
    taken.push_back(waiting_.front());
    waiting_.pop_front();
  }
  return taken;
}

}  // namespace rehearsal
