// Reads one HTTP/1 answer as it comes in, piece by piece. No I/O.
//
// As lenient as a health check must be with other people's servers: lines may end in LF or in CR LF, the
// status line may do without a reason and its blank ("HTTP/1.1 200"), and any 1xx answer (103 Early Hints)
// is only on the way to the real one. What tells where the body ends is read strictly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace arizuko::host {

/// How much of an answer is read: of its heads together, and of its body.
inline constexpr std::size_t longest_head_bytes = 64 * 1024;
inline constexpr std::size_t longest_body_bytes = 64 * 1024;

class HttpAnswer {
 public:
  enum class Body { may_follow, never_follows };  // none follows HEAD
  explicit HttpAnswer(Body body = Body::may_follow) : wanted_(body) {}

  enum class State {
    head,      // the status is not known yet
    body,      // it is; the body is coming in
    complete,  // all there is, or as much of the body as is read
    broken,    // see trouble()
  };
  /// Takes the next bytes; what comes after the end is ignored.
  void take(std::string_view bytes);
  /// The other side has closed the connection.
  void close();

  State state() const { return state_; }
  unsigned status() const { return status_; }  // 0 in State::head
  const std::string& body() const { return body_; }
  /// How long the body will be, where the head says so.
  std::optional<std::uint64_t> body_length() const { return length_; }
  /// Why it is broken, a phrase: "no HTTP answer".
  const std::string& trouble() const { return trouble_; }

 private:
  enum class Next {
    status_line,
    header,
    plain_body,
    chunk_size,
    chunk,
    chunk_end,
    trailer,
  };
  bool step();
  std::optional<std::string_view> take_line();
  bool read_status_line(std::string_view line);
  void read_header(std::string_view line);
  void head_is_over();
  bool read_chunk_size(std::string_view line);
  bool take_body();
  void complete() { state_ = State::complete; }
  bool refuse(std::string why);

  Body wanted_;
  State state_ = State::head;
  Next next_ = Next::status_line;
  unsigned status_ = 0;
  bool chunked_ = false;
  std::optional<std::uint64_t> length_;
  std::uint64_t left_ = 0;  // of the body, or of the chunk
  std::string pending_;     // not looked at yet
  std::size_t at_ = 0;      // where in pending_ the next byte is
  std::size_t head_bytes_ = 0;
  int interim_ = 0;  // 1xx answers so far
  unsigned read_status_ = 0;
  std::string body_;
  std::string trouble_;
};

}  // namespace arizuko::host
