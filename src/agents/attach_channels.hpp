// The channels of `attach` and `exec` inside one WebSocket: the first byte of a message is the channel.
//
// v4.channel.k8s.io: 0 stdin, 1 stdout, 2 stderr, 3 the final status as JSON (a metav1.Status), 4 resize.
// v5.channel.k8s.io adds 255, the close of a channel: the message [255, 0] is the end of standard input while
// the outputs stay open. (KEP-3396 and KEP-4006 of kubernetes/enhancements.)
// v4 has no such message: there the end of stdin can only be shown by closing a connection of its own.
//
// A pure state machine: bytes in, pieces out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "failure.hpp"

namespace arizuko::agents {

inline constexpr std::string_view protocol_v5 = "v5.channel.k8s.io";
inline constexpr std::string_view protocol_v4 = "v4.channel.k8s.io";
inline constexpr std::size_t most_status_bytes = 64 << 10;

enum class Channel { standard_output, standard_error };

struct Piece {
  Channel channel = Channel::standard_output;
  std::string_view bytes;
};

/// How the server says that it ended.
struct ChannelStatus {
  bool success = false;
  std::string message;
  std::optional<int> exit_code;  // of `exec`, when the program failed
};

/// The message that carries `bytes` of standard input; "" is allowed and means nothing.
std::string stdin_message(std::string_view bytes);

/// v5 only: standard input is over.
std::string stdin_end_message();

class AttachChannels {
 public:
  enum class Position { begins_message, continues_message };

  /// The next bytes of a message, as they come; a message may come in parts. The piece, if these bytes are
  /// output, points into `bytes`.
  std::optional<Piece> feed(std::string_view bytes, Position position);

  /// What the server said on channel 3; nullopt when it said nothing or nothing that can be read.
  std::optional<ChannelStatus> status() const;

 private:
  unsigned char channel_ = 0;
  std::string status_;
};

}  // namespace arizuko::agents
