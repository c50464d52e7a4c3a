// The address of a local socket: a path, or a name that stands in no file system, written "@name" (unix(7)).
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>

namespace arizuko::posix {

class UnixAddress {
 public:
  /// What a path may be long: sun_path less its NUL.
  static constexpr std::size_t most_bytes = sizeof(sockaddr_un::sun_path) - 1;

  /// Nothing when `text` is empty or longer than that.
  static std::optional<UnixAddress> of(std::string_view text);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const { return size_; }
  bool is_path() const { return address_.sun_path[0] != '\0'; }

 private:
  UnixAddress() = default;

  sockaddr_un address_{};
  socklen_t size_ = 0;
};

}  // namespace arizuko::posix
