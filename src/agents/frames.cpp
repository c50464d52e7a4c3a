#include "frames.hpp"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>

namespace arizuko::agents {
namespace {

constexpr std::uint8_t final_bit = 0x80;
constexpr std::uint8_t mask_bit = 0x80;
constexpr std::uint8_t reserved_bits = 0x70;
constexpr std::size_t most_control_bytes = 125;
constexpr std::uint8_t length_in_2 = 126;
constexpr std::uint8_t length_in_8 = 127;

bool is_control(Opcode opcode) {
  return opcode == Opcode::close || opcode == Opcode::ping || opcode == Opcode::pong;
}

void append_length(std::string& out, std::uint64_t length) {
  const auto append = [&](int bytes) {
    for (int at = bytes - 1; at >= 0; --at) out += static_cast<char>(length >> (8 * at) & 0xff);
  };
  if (length <= most_control_bytes) {
    out += static_cast<char>(mask_bit | length);
  } else if (length <= 0xffff) {
    out += static_cast<char>(mask_bit | length_in_2);
    append(2);
  } else {
    out += static_cast<char>(mask_bit | length_in_8);
    append(8);
  }
}

}  // namespace

std::string frame(Opcode opcode, std::string_view payload, Mask mask) {
  std::string out(1, static_cast<char>(final_bit | static_cast<std::uint8_t>(opcode)));
  append_length(out, payload.size());
  out.append(mask.data(), mask.size());
  for (std::size_t at = 0; at < payload.size(); ++at) out += static_cast<char>(payload[at] ^ mask[at % 4]);
  return out;
}

std::string accept_value(std::string_view key) {
  const auto text = std::string{key} + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> hash{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  std::array<unsigned char, 32> out{};
  const int bytes = EVP_EncodeBlock(out.data(), hash.data(), static_cast<int>(hash.size()));
  return {reinterpret_cast<const char*>(out.data()), static_cast<std::size_t>(bytes)};
}

/// nullopt: not even the length's size is known yet.
std::optional<std::size_t> FrameReader::header_bytes() const {
  if (header_.size() < 2) return std::nullopt;
  const auto length = static_cast<std::uint8_t>(header_[1]) & ~mask_bit;
  return length == length_in_8 ? 10 : length == length_in_2 ? 4 : 2;
}

/// The header is complete. False: the server may not send such a frame.
bool FrameReader::begin_frame() {
  const auto first = static_cast<std::uint8_t>(header_[0]);
  const auto second = static_cast<std::uint8_t>(header_[1]);
  opcode_ = static_cast<Opcode>(first & 0x0f);
  final_ = (first & final_bit) != 0;
  left_ = second & ~mask_bit;
  if (header_.size() > 2) {
    left_ = 0;
    for (std::size_t at = 2; at < header_.size(); ++at)
      left_ = left_ << 8 | static_cast<std::uint8_t>(header_[at]);
  }
  header_.clear();
  control_.clear();
  in_frame_ = true;
  if ((first & reserved_bits) != 0 || (second & mask_bit) != 0) return false;
  if (is_control(opcode_)) return final_ && left_ <= most_control_bytes;
  const bool first_of_message = opcode_ == Opcode::binary || opcode_ == Opcode::text;
  if (!first_of_message && opcode_ != Opcode::continuation) return false;
  if (first_of_message == in_message_) return false;
  begins_ = begins_ || first_of_message;
  in_message_ = true;
  return true;
}

void FrameReader::take_payload(std::string_view& bytes, const Handler& handler) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  const auto part = bytes.substr(0, count);
  bytes.remove_prefix(count);
  left_ -= count;
  const bool control = is_control(opcode_);
  if (control) {
    control_ += part;
  } else if (!part.empty()) {
    handler.on_message(part, begins_);
    begins_ = false;
  }
  if (left_ > 0) return;
  in_frame_ = false;
  if (control) {
    handler.on_control(opcode_, control_);
  } else if (final_) {
    in_message_ = begins_ = false;
  }
}

bool FrameReader::feed(std::string_view bytes, const Handler& handler) {
  while (!bytes.empty()) {
    if (!in_frame_) {
      header_ += bytes.front();
      bytes.remove_prefix(1);
      if (header_.size() != header_bytes()) continue;
      if (!begin_frame()) return false;
    }
    if (in_frame_ && (left_ == 0 || !bytes.empty())) take_payload(bytes, handler);
  }
  return true;
}

}  // namespace arizuko::agents
