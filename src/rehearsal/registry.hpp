// gated's channel registry: in memory only, so a restart forgets every adapter (T6). Pure.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rehearsal {

struct Channel {
  std::string name, url, token, source_ip;
  std::vector<std::string> prefixes, capabilities;
  int failed_checks = 0;
};

class Registry {
 public:
  // The same name from the same address replaces silently (T8); from another it is refused (409).
  std::expected<void, std::string> put(Channel channel);
  void remove(const std::string& name) { channels_.erase(name); }
  Channel* by_token(std::string_view token);
  Channel* by_name(const std::string& name);
  // The channel that owns a JID's prefix; the registered `preferred` first, if it does.
  Channel* by_jid(std::string_view jid, std::string_view preferred = {});
  const std::map<std::string, Channel>& all() const { return channels_; }

 private:
  std::map<std::string, Channel> channels_;
};

bool owns(const Channel& channel, std::string_view jid);

}  // namespace rehearsal
