// Text that came from outside, as types: what may hold a secret value cannot be shown or kept by accident.
//
// A child's last words, a process's name, the answer to a look, an error that quotes any of them: it comes in
// as Foreign, which nobody can read. Redactor::wash() makes it Washed. What the engine is told and stores is
// Washed, so to forget the washing is an error of types.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace arizuko::env {

class Foreign {
 public:
  Foreign() = default;
  explicit Foreign(std::string text) : text_(std::move(text)) {}
  bool empty() const { return text_.empty(); }

 private:
  friend class Redactor;
  std::string text_;
};

class Washed {
 public:
  Washed() = default;
  /// What stands in our own source holds no secret. Not for arrays that are filled at run time.
  template <std::size_t size>
  Washed(const char (&literal)[size]) : text_(literal) {}
  template <std::size_t size>
  Washed(char (&filled)[size]) = delete;

  const std::string& text() const { return text_; }
  operator const std::string&() const { return text_; }
  bool empty() const { return text_.empty(); }

  friend std::string operator+(std::string_view before, const Washed& it) {
    return std::string(before) + it.text_;
  }

 private:
  friend class Redactor;
  explicit Washed(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace arizuko::env
