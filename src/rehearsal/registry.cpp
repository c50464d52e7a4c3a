#include "registry.hpp"

namespace rehearsal {

bool owns(const Channel& channel, std::string_view jid) {
  for (const auto& prefix : channel.prefixes)
    if (jid.starts_with(prefix)) return true;
  return false;
}

std::expected<void, std::string> Registry::put(Channel channel) {
  const auto* holder = by_name(channel.name);
  if (holder != nullptr && holder->source_ip != channel.source_ip) {
    return std::unexpected("channel name is registered from another address");
  }
  const auto name = channel.name;
  channels_.insert_or_assign(name, std::move(channel));
  return {};
}

Channel* Registry::by_token(std::string_view token) {
  if (token.empty()) return nullptr;
  for (auto& [name, channel] : channels_)
    if (channel.token == token) return &channel;
  return nullptr;
}

Channel* Registry::by_name(const std::string& name) {
  const auto found = channels_.find(name);
  return found == channels_.end() ? nullptr : &found->second;
}

Channel* Registry::by_jid(std::string_view jid, std::string_view preferred) {
  auto* first = by_name(std::string(preferred));
  if (first != nullptr && owns(*first, jid)) return first;
  for (auto& [name, channel] : channels_)
    if (owns(channel, jid)) return &channel;
  return nullptr;
}

}  // namespace rehearsal
