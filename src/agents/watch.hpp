// A list and a watch of one kind of object, kept up to date: where to go on after a cut connection, and when
// to list again. Pure.
//
// https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes: a watch starts
// at a resourceVersion; bookmarks only move it on; 410 Gone says that it is too old.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "json.hpp"

namespace arizuko::agents {

class WatchPosition {
 public:
  /// True at first, and after the server has forgotten where we were.
  bool must_list() const { return version_.empty(); }
  const std::string& version() const { return version_; }

  void listed(const json::value& list) { version_ = text_at(list, {"metadata", "resourceVersion"}); }
  void forgotten() { version_.clear(); }

  enum class Kind {
    changed,    // added or modified
    gone,       // deleted
    nothing,    // a bookmark
    forgotten,  // 410: list again
    failed,     // the server could not go on: start the watch again
  };
  struct Event {
    Kind kind = Kind::nothing;
    const json::value* object = nullptr;  // of `changed` and `gone`, inside what was taken
  };
  Event take(const json::value& event);

 private:
  std::string version_;
};

/// Whole lines out of pieces. A line over `most_bytes` is dropped, as is the rest of it.
class LineBuffer {
 public:
  explicit LineBuffer(std::size_t most_bytes) : most_bytes_(most_bytes) {}
  void feed(std::string_view bytes, const std::function<void(std::string_view)>& on_line);
  /// What came after the last newline; "" when that is too long already.
  std::string_view rest() const { return too_long_ ? std::string_view{} : std::string_view{line_}; }

 private:
  std::size_t most_bytes_;
  bool too_long_ = false;
  std::string line_;
};

}  // namespace arizuko::agents
