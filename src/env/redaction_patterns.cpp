#include "redaction_patterns.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace arizuko::env {
namespace {

constexpr std::size_t gram_bytes = 4;
constexpr std::size_t bits_a_gram = 64;  // of the filter: one look in 64 is a false alarm
constexpr std::size_t grams_a_bucket = 2;
constexpr unsigned min_filter_bits = 10;
constexpr unsigned max_filter_bits = 20;

/// The eight bytes in a row with the most different ones, the last of equals: beginnings are often
/// ordinary ("xoxb-", "eyJhbGci", "rehearsal-made-up-").
std::size_t window_of(std::string_view text) {
  constexpr std::size_t most_looked_at = 512;
  std::size_t best = 0;
  int best_count = 0;
  for (std::size_t at = 0; at + Patterns::min_bytes <= std::min(text.size(), most_looked_at); ++at) {
    std::array<bool, 256> seen{};
    int count = 0;
    for (const char c : text.substr(at, Patterns::min_bytes)) {
      bool& known = seen[static_cast<unsigned char>(c)];
      count += known ? 0 : 1;
      known = true;
    }
    if (count >= best_count) {
      best = at;
      best_count = count;
    }
  }
  return best;
}

}  // namespace

void merge(std::vector<Match>& matches) {
  std::ranges::sort(matches, [](const Match& a, const Match& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end != b.end ? a.end > b.end : a.name < b.name;
  });
  std::size_t kept = 0;
  for (const Match& match : matches) {
    if (kept > 0 && match.begin < matches[kept - 1].end) {
      matches[kept - 1].end = std::max(matches[kept - 1].end, match.end);
    } else {
      matches[kept++] = match;
    }
  }
  matches.resize(kept);
}

Patterns::Patterns(std::pmr::memory_resource* memory) : bytes_(memory), filter_(1) {}

void Patterns::reserve(std::size_t patterns, std::size_t bytes) {
  patterns_.reserve(patterns);
  bytes_.reserve(bytes);
}

void Patterns::add(std::string_view text, std::uint32_t name) {
  patterns_.push_back({bytes_.size(), text.size(), name});
  bytes_ += text;
}

std::uint32_t Patterns::hash_at(const char* bytes) const {
  std::uint32_t gram = 0;
  std::memcpy(&gram, bytes, gram_bytes);
  return (gram * 0x9E3779B1U) >> shift_;
}

void Patterns::prepare() {
  const std::size_t count = patterns_.size() * step;
  const auto wanted = static_cast<unsigned>(std::bit_width(count * bits_a_gram));
  const unsigned bits = std::clamp(wanted, min_filter_bits, max_filter_bits);
  const unsigned bucket_bits = std::min(bits, static_cast<unsigned>(std::bit_width(count / grams_a_bucket)));
  shift_ = 32 - bits;
  bucket_shift_ = bits - bucket_bits;
  filter_.assign((std::size_t{1} << bits) / 64, 0);
  for (std::uint32_t i = 0; i < patterns_.size(); ++i) {
    const std::string_view text = text_of(patterns_[i]);
    const std::size_t window = window_of(text);
    for (std::size_t offset = window; offset < window + step; ++offset) {
      const std::uint32_t hash = hash_at(text.data() + offset);
      filter_[hash >> 6] |= std::uint64_t{1} << (hash & 63);
      grams_.push_back({hash, i, static_cast<std::uint32_t>(offset)});
    }
  }
  std::ranges::sort(grams_, {}, &Gram::hash);
  first_gram_.assign((std::size_t{1} << bucket_bits) + 1, 0);
  for (const Gram& gram : grams_) ++first_gram_[(gram.hash >> bucket_shift_) + 1];
  for (std::size_t i = 1; i < first_gram_.size(); ++i) first_gram_[i] += first_gram_[i - 1];
}

/// The next look from `at` on that a pattern may explain; the end of the text, when there is none.
std::size_t Patterns::next_candidate(std::string_view text, std::size_t at) const {
  const char* const bytes = text.data();
  for (; at + 3 * step + gram_bytes <= text.size(); at += 4 * step) {
    const bool a = may_hold(hash_at(bytes + at));
    const bool b = may_hold(hash_at(bytes + at + step));
    const bool c = may_hold(hash_at(bytes + at + 2 * step));
    const bool d = may_hold(hash_at(bytes + at + 3 * step));
    if (a | b | c | d) return at + (a ? 0 : b ? 1 : c ? 2 : 3) * step;
  }
  for (; at + gram_bytes <= text.size(); at += step) {
    if (may_hold(hash_at(bytes + at))) return at;
  }
  return text.size();
}

/// Calls `found(begin, pattern)` for each place of each pattern, in no order; false from it ends the search.
template <class Found>
void Patterns::scan(std::string_view text, Found&& found) const {
  if (patterns_.empty()) return;
  for (std::size_t at = next_candidate(text, 0); at < text.size(); at = next_candidate(text, at + step)) {
    const std::uint32_t hash = hash_at(text.data() + at);
    const std::uint32_t bucket = hash >> bucket_shift_;
    for (std::uint32_t i = first_gram_[bucket]; i < first_gram_[bucket + 1]; ++i) {
      const Gram& gram = grams_[i];
      const Pattern& pattern = patterns_[gram.pattern];
      if (gram.hash != hash || gram.offset > at || pattern.size > text.size() - (at - gram.offset)) continue;
      const std::size_t begin = at - gram.offset;
      if (std::memcmp(text.data() + begin, bytes_.data() + pattern.at, pattern.size) != 0) continue;
      if (!found(begin, pattern)) return;
    }
  }
}

void Patterns::find(std::string_view text, std::vector<Match>& matches) const {
  matches.clear();
  scan(text, [&](std::size_t begin, const Pattern& pattern) {
    matches.push_back({begin, begin + pattern.size, pattern.name});
    return true;
  });
  if (matches.size() > 1) merge(matches);
}

void Patterns::find_begun(std::string_view text, std::vector<Match>& matches) const {
  find(text, matches);
  for (const Pattern& pattern : patterns_) {
    const std::string_view whole = text_of(pattern);
    for (std::size_t size = std::min(whole.size() - 1, text.size()); size >= min_begun_bytes; --size) {
      const std::size_t begin = text.size() - size;
      if (std::memcmp(text.data() + begin, whole.data(), min_begun_bytes) != 0) continue;
      if (text.substr(begin) != whole.substr(0, size)) continue;
      matches.push_back({begin, text.size(), pattern.name});
      break;
    }
  }
  merge(matches);
}

bool Patterns::any_in(std::string_view text) const {
  bool any = false;
  scan(text, [&](std::size_t, const Pattern&) {
    any = true;
    return false;
  });
  return any;
}

}  // namespace arizuko::env
