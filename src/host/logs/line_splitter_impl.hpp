// The body of LineSplitter: a template, so that the caller's `take` is inlined into the loop.
#pragma once

#include <cstring>

#include "line_splitter.hpp"

namespace arizuko::host {

template <class Take>
std::string_view LineSplitter::feed(std::string_view bytes, std::size_t most_lines, Take&& take) {
  for (std::size_t lines = 0; !bytes.empty() && lines < most_lines; ++lines) {
    const void* found = std::memchr(bytes.data(), '\n', bytes.size());
    if (found == nullptr) {
      keep(bytes, take);
      return {};
    }
    const auto length = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
    const std::string_view piece = bytes.substr(0, length);
    bytes.remove_prefix(length + 1);
    if (skipping_) {
      skipping_ = false;
      skipped_bytes_ += length;
    } else if (pending_.empty()) {
      deliver(piece, take);
    } else {
      complete(piece, take);
    }
  }
  return bytes;
}

template <class Take>
void LineSplitter::finish(Take&& take) {
  ended_ = true;
  if (!skipping_ && !pending_.empty()) complete({}, take);
  ended_ = false;
  skipping_ = false;
}

/// `line` is whole, without its newline.
template <class Take>
void LineSplitter::deliver(std::string_view line, Take& take) {
  std::string_view text = line;
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.size() <= max_line_bytes) {
    take(Line{.text = text, .cut = false, .begun = ended_});
  } else {
    skipped_bytes_ += line.size() - max_line_bytes;
    take(Line{.text = line.substr(0, max_line_bytes), .cut = true, .begun = ended_});
  }
}

/// `piece` has no newline: the beginning or the middle of a line.
template <class Take>
void LineSplitter::keep(std::string_view piece, Take& take) {
  if (skipping_) {
    skipped_bytes_ += piece.size();
    return;
  }
  if (!is_too_long(piece)) {
    pending_.append(piece);
    return;
  }
  skipping_ = true;
  complete(piece, take);
}

/// Delivers what is pending together with `piece`, and gives back the memory of a long line.
template <class Take>
void LineSplitter::complete(std::string_view piece, Take& take) {
  // Of a line that is too long, one byte more than the bound is enough for deliver() to see it.
  const std::size_t room = max_line_bytes + 2 - pending_.size();
  const std::string_view kept = piece.substr(0, room);
  skipped_bytes_ += piece.size() - kept.size();
  pending_.append(kept);
  deliver(pending_, take);
  pending_.clear();
  if (pending_.capacity() > 4096) pending_.shrink_to_fit();
}

/// True when no newline after `piece` could make the line short enough: a last '\r' may go.
inline bool LineSplitter::is_too_long(std::string_view piece) const {
  const std::size_t size = pending_.size() + piece.size();
  return size > max_line_bytes + 1 || (size == max_line_bytes + 1 && piece.back() != '\r');
}

}  // namespace arizuko::host
