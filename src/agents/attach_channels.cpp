#include "attach_channels.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>

#include "json.hpp"

namespace arizuko::agents {
namespace {

constexpr char stdin_channel = 0;
constexpr unsigned char stdout_channel = 1;
constexpr unsigned char stderr_channel = 2;
constexpr unsigned char status_channel = 3;
constexpr char close_channel = '\xff';

/// The exit code is a cause called ExitCode: k8s.io/apimachinery/pkg/util/remotecommand.
std::optional<int> exit_code_of(const json::value& status) {
  const auto* causes = list_at(status, {"details", "causes"});
  if (causes == nullptr) return std::nullopt;
  for (const json::value& cause : *causes) {
    if (text_at(cause, {"reason"}) == "ExitCode") return std::atoi(text_at(cause, {"message"}).c_str());
  }
  return std::nullopt;
}

}  // namespace

std::string stdin_message(std::string_view bytes) {
  std::string message(1, stdin_channel);
  return message.append(bytes);
}

std::string stdin_end_message() { return {close_channel, stdin_channel}; }

std::optional<Piece> AttachChannels::feed(std::string_view bytes, Position position) {
  if (position == Position::begins_message) {
    if (bytes.empty()) {
      channel_ = static_cast<unsigned char>(close_channel);  // what follows belongs to no channel
      return std::nullopt;
    }
    channel_ = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
  }
  if (bytes.empty()) return std::nullopt;  // v4 opens each channel with an empty message
  if (channel_ == stdout_channel) return Piece{Channel::standard_output, bytes};
  if (channel_ == stderr_channel) return Piece{Channel::standard_error, bytes};
  if (channel_ == status_channel)
    status_ += bytes.substr(0, most_status_bytes - std::min(most_status_bytes, status_.size()));
  return std::nullopt;
}

std::optional<ChannelStatus> AttachChannels::status() const {
  if (status_.empty()) return std::nullopt;
  boost::system::error_code error;
  const auto parsed = json::parse(status_, error);
  if (error || !parsed.is_object()) return std::nullopt;
  return ChannelStatus{text_at(parsed, {"status"}) == "Success", text_at(parsed, {"message"}),
                       exit_code_of(parsed)};
}

}  // namespace arizuko::agents
