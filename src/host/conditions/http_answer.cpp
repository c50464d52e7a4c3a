#include "arizuko/host/conditions/http_answer.hpp"

#include <algorithm>
#include <charconv>

#include "arizuko/base/bytes.hpp"

namespace arizuko::host {
namespace {

constexpr int most_interim_answers = 16;
constexpr unsigned switching_protocols = 101;  // no answer follows that one

using base::is_digit;

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(" \t");
  if (from == text.npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

bool same_word(std::string_view text, std::string_view small) {
  return std::ranges::equal(text, small,
                            [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

template <typename Number>
std::optional<Number> whole(std::string_view digits, int base) {
  Number number{};
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, number, base);
  if (digits.empty() || digits.front() == '-' || error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

}  // namespace

void HttpAnswer::take(std::string_view bytes) {
  if (state_ == State::complete || state_ == State::broken) return;
  pending_.erase(0, at_);
  at_ = 0;
  pending_.append(bytes);
  while ((state_ == State::head || state_ == State::body) && step()) {
  }
}

void HttpAnswer::close() {
  if (state_ == State::complete || state_ == State::broken) return;
  if (state_ == State::head) {
    refuse(head_bytes_ == 0 && pending_.size() == at_ ? "closed the connection without an answer"
                                                      : "the answer breaks off in its head");
  } else if (next_ == Next::plain_body && !length_) {
    complete();  // the body ends with the connection
  } else if (next_ == Next::trailer) {
    complete();  // all of the body is there
  } else {
    refuse("the answer breaks off in its body");
  }
}

/// One line, or what there is of the body. False when more is needed, or nothing is left to do.
bool HttpAnswer::step() {
  if (next_ == Next::plain_body || next_ == Next::chunk) return take_body();
  const auto line = take_line();
  if (!line) return false;
  switch (next_) {
    case Next::status_line:
      if (line->empty()) return true;  // RFC 9112, 2.2: an empty line before it is ignored
      return read_status_line(*line);
    case Next::header:
      if (line->empty()) {
        head_is_over();
      } else {
        read_header(*line);
      }
      return true;
    case Next::chunk_size: return read_chunk_size(*line);
    case Next::chunk_end:
      next_ = Next::chunk_size;
      return line->empty() || refuse("a chunk of the answer is longer than it says");
    case Next::trailer:
      if (line->empty()) complete();
      return true;
    case Next::plain_body:
    case Next::chunk: break;
  }
  return false;
}

/// Without its end. The heads, and with them the lines between chunks, have a limit together.
std::optional<std::string_view> HttpAnswer::take_line() {
  const std::size_t end = pending_.find('\n', at_);
  const std::size_t length = (end == pending_.npos ? pending_.size() : end + 1) - at_;
  if (head_bytes_ + length > longest_head_bytes) {
    refuse("the head of the answer is longer than 64 KiB");
    return std::nullopt;
  }
  if (next_ == Next::status_line && length >= 5 &&
      !std::string_view(pending_).substr(at_).starts_with("HTTP/") && pending_[at_] != '\r' &&
      pending_[at_] != '\n') {
    refuse("no HTTP answer: it does not begin with HTTP/");
    return std::nullopt;
  }
  if (end == pending_.npos) return std::nullopt;
  std::string_view line = std::string_view(pending_).substr(at_, end - at_);
  if (line.ends_with('\r')) line.remove_suffix(1);
  at_ = end + 1;
  head_bytes_ += length;
  return line;
}

/// "HTTP/1.1 200 OK", also without the reason, and without the blank before it.
bool HttpAnswer::read_status_line(std::string_view line) {
  constexpr std::string_view protocol = "HTTP/";
  const auto bad = [this] { return refuse("no HTTP answer: its first line is no status line"); };
  if (!line.starts_with(protocol)) return bad();
  line.remove_prefix(protocol.size());
  if (line.size() < 3 || !is_digit(line[0]) || line[1] != '.' || !is_digit(line[2])) return bad();
  if (line[0] != '1') return refuse("no HTTP answer: it speaks another version than 1");
  line.remove_prefix(3);
  const auto digits = line.find_first_not_of(" \t");
  if (digits == 0 || digits == line.npos) return bad();
  line.remove_prefix(digits);
  const std::string_view code = line.substr(0, std::min(line.find_first_of(" \t"), line.size()));
  const auto number = whole<unsigned>(code, 10);
  if (code.size() != 3 || !number || *number < 100) return bad();
  read_status_ = *number;
  chunked_ = false;
  length_.reset();
  next_ = Next::header;
  return true;
}

void HttpAnswer::read_header(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') return;  // goes on with a header that does not matter here
  const std::size_t colon = line.find(':');
  if (colon == line.npos) return;
  const std::string_view name = trimmed(line.substr(0, colon));
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (same_word(name, "transfer-encoding")) {
    const std::size_t comma = value.rfind(',');
    chunked_ = same_word(trimmed(value.substr(comma == value.npos ? 0 : comma + 1)), "chunked");
  } else if (same_word(name, "content-length")) {
    const auto length = whole<std::uint64_t>(value, 10);
    if (!length || (length_ && *length_ != *length)) {
      refuse("the answer does not say how long it is: its Content-Length is no number, or two");
    }
    length_ = length;
  }
}

void HttpAnswer::head_is_over() {
  if (state_ == State::broken) return;
  if (read_status_ < 200 && read_status_ != switching_protocols) {
    next_ = Next::status_line;
    if (++interim_ > most_interim_answers) refuse("more than 16 answers of 1xx, and no other");
    return;
  }
  status_ = read_status_;
  state_ = State::body;
  if (chunked_) length_.reset();  // RFC 9112, 6.3: it does not count beside Transfer-Encoding
  const bool none = wanted_ == Body::never_follows || status_ == 204 || status_ == 304 ||
                    status_ == switching_protocols || (length_ && *length_ == 0);
  if (none) return complete();
  next_ = chunked_ ? Next::chunk_size : Next::plain_body;
  left_ = length_.value_or(UINT64_MAX);
}

bool HttpAnswer::read_chunk_size(std::string_view line) {
  const auto size = whole<std::uint64_t>(trimmed(line.substr(0, line.find(';'))), 16);
  if (!size) return refuse("a chunk of the answer does not say how long it is");
  left_ = *size;
  next_ = left_ == 0 ? Next::trailer : Next::chunk;
  return true;
}

bool HttpAnswer::take_body() {
  const std::size_t there = pending_.size() - at_;
  const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(there, left_));
  body_.append(pending_, at_, std::min(taken, longest_body_bytes - body_.size()));
  at_ += taken;
  left_ -= taken;
  if (body_.size() == longest_body_bytes || (left_ == 0 && next_ == Next::plain_body)) {
    complete();
  } else if (left_ == 0) {
    next_ = Next::chunk_end;
    return true;
  }
  return false;
}

bool HttpAnswer::refuse(std::string why) {
  trouble_ = std::move(why);
  state_ = State::broken;
  return false;
}

}  // namespace arizuko::host
