// WebSocket frames (RFC 6455), the client's side: messages to masked frames, bytes to messages and controls.
// Pure: random masks are handed in.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace arizuko::agents {

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

using Mask = std::array<char, 4>;

/// One whole frame.
std::string frame(Opcode opcode, std::string_view payload, Mask mask);

/// The value of Sec-WebSocket-Accept that answers `key`.
std::string accept_value(std::string_view key);

/// Reads what the server sends. Payload is handed on as it comes, never kept: a message may be of any size.
class FrameReader {
 public:
  struct Handler {
    /// Bytes of a binary or text message; `begins` with its first ones.
    std::function<void(std::string_view bytes, bool begins)> on_message;
    /// A whole control frame: close, ping or pong.
    std::function<void(Opcode opcode, std::string_view payload)> on_control;
  };

  /// False: what came is no WebSocket of a server; the connection is of no more use.
  bool feed(std::string_view bytes, const Handler& handler);

 private:
  bool begin_frame();
  void take_payload(std::string_view& bytes, const Handler& handler);
  std::optional<std::size_t> header_bytes() const;

  std::string header_;  // until it is complete
  Opcode opcode_ = Opcode::binary;
  bool final_ = false;
  bool in_frame_ = false;
  bool in_message_ = false;  // a first frame has come, its last one has not
  bool begins_ = false;
  std::uint64_t left_ = 0;  // of the frame's payload
  std::string control_;
};

}  // namespace arizuko::agents
