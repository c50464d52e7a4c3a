// Finds many patterns in a text at once, several bytes a step.
//
// Each pattern has at least eight bytes. Of each the least ordinary eight in a row are chosen: its window.
// The text is looked at every five bytes only: wherever a window lies, one of the looks falls on four bytes
// inside it. A bitmap says whether any window has such four bytes, which is nearly always no; the looks do
// not depend on each other, so the processor does several at a time. A yes is verified by comparing.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

namespace arizuko::env {

/// A piece of a text that holds secrets.
struct Match {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::uint32_t name = 0;  // of the first and longest of them
  bool operator==(const Match&) const = default;
};

/// In order; what overlaps becomes one.
void merge(std::vector<Match>& matches);

class Patterns {
 public:
  static constexpr std::size_t min_bytes = 8;
  /// A text that ends with fewer bytes of a pattern does not give it away.
  static constexpr std::size_t min_begun_bytes = 4;

  explicit Patterns(std::pmr::memory_resource* memory);
  /// Nothing may be added after prepare(). `text` has at least min_bytes.
  void reserve(std::size_t patterns, std::size_t bytes);
  void add(std::string_view text, std::uint32_t name);
  void prepare();

  /// Where the patterns are, in order; what overlaps is one match.
  void find(std::string_view text, std::vector<Match>& matches) const;
  /// The same, and `text` was cut off: the beginning of a pattern at its end is a match, too.
  void find_begun(std::string_view text, std::vector<Match>& matches) const;
  bool any_in(std::string_view text) const;

  std::size_t size() const { return patterns_.size(); }

 private:
  struct Pattern {
    std::size_t at;
    std::size_t size;
    std::uint32_t name;
  };
  struct Gram {
    std::uint32_t hash;
    std::uint32_t pattern;
    std::uint32_t offset;  // of the four bytes in the pattern
  };
  static constexpr std::size_t step = 5;

  std::string_view text_of(const Pattern& pattern) const {
    return std::string_view(bytes_).substr(pattern.at, pattern.size);
  }
  bool may_hold(std::uint32_t hash) const { return (filter_[hash >> 6] >> (hash & 63) & 1) != 0; }
  std::uint32_t hash_at(const char* bytes) const;
  std::size_t next_candidate(std::string_view text, std::size_t at) const;
  template <class Found>
  void scan(std::string_view text, Found&& found) const;

  std::pmr::string bytes_;
  std::vector<Pattern> patterns_;
  std::vector<std::uint64_t> filter_;
  unsigned shift_ = 0;                     // of a 32-bit product down to an index of the filter
  std::vector<Gram> grams_;                // by hash
  std::vector<std::uint32_t> first_gram_;  // by the upper bits of a hash
  unsigned bucket_shift_ = 0;
};

}  // namespace arizuko::env
