// Cuts a stream of bytes into lines, joined across reads and bounded (T28).
//
// Pure and allocation-free for lines that lie inside one read; a line that crosses reads is kept in
// a buffer of at most `max_line_bytes` (and a '\r'). A longer line is delivered once, cut and marked as such,
// and the rest of it is skipped: the bytes skipped are counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace arizuko::host {

struct Line {
  std::string_view text;    // without the newline and without a '\r' before it; valid during the call
  bool cut = false;         // it was longer than max_line_bytes
  bool begun = false;       // the stream ended before its newline: more of it may have been meant to come
  bool unfinished = false;  // its newline has not come yet: it comes again, whole
};

class LineSplitter {
 public:
  static constexpr std::size_t max_line_bytes = 64 * 1024;

  /// Calls `take(Line)` for each line completed by `bytes`.
  template <class Take>
  void feed(std::string_view bytes, Take&& take) {
    feed(bytes, static_cast<std::size_t>(-1), std::forward<Take>(take));
  }
  /// The same for at most `most_lines` ends of lines; gives back what is left of `bytes`.
  template <class Take>
  std::string_view feed(std::string_view bytes, std::size_t most_lines, Take&& take);

  /// At the end of the stream: the last line, when it had no newline.
  template <class Take>
  void finish(Take&& take);

  /// What has come of a line whose newline has not.
  std::string_view begun() const { return skipping_ ? std::string_view() : std::string_view(pending_); }

  std::uint64_t skipped_bytes() const { return skipped_bytes_; }

 private:
  template <class Take>
  void deliver(std::string_view line, Take& take);
  template <class Take>
  void keep(std::string_view piece, Take& take);
  template <class Take>
  void complete(std::string_view piece, Take& take);
  bool is_too_long(std::string_view piece) const;

  std::string pending_;    // the beginning of a line that is not complete
  bool skipping_ = false;  // inside the rest of a line that was cut
  bool ended_ = false;     // inside finish()
  std::uint64_t skipped_bytes_ = 0;
};

}  // namespace arizuko::host

#include "line_splitter_impl.hpp"
