#include "arizuko/posix/unix_address.hpp"

namespace arizuko::posix {

std::optional<UnixAddress> UnixAddress::of(std::string_view text) {
  if (text.empty() || text.size() > most_bytes) return std::nullopt;
  UnixAddress made;
  made.address_.sun_family = AF_UNIX;
  text.copy(made.address_.sun_path, text.size());
  const bool path = text.front() != '@';
  if (!path) made.address_.sun_path[0] = '\0';
  // A name outside the file system is as long as the address says, a path ends with its NUL.
  made.size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + (path ? 1 : 0));
  return made;
}

}  // namespace arizuko::posix
