// Takes secret values out of text for people: lines, events, causes, messages. docs/explanation/redaction.md
// says for operators what is replaced and what is not.
//
// Pure: the memory that holds the values comes from outside (std::pmr), no value is ever given out, and the
// same secrets and the same text always give the same result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/env/foreign.hpp"
#include "arizuko/env/snapshot.hpp"
#include "arizuko/plan/plan.hpp"

namespace arizuko::env {

/// Shorter values are never replaced: `true` and `8080` would vanish from every line.
inline constexpr std::size_t min_secret_bytes = 8;
/// What all patterns together may take: each secret has about eight, one an encoding.
inline constexpr std::size_t max_patterns = 4096;
inline constexpr std::size_t max_pattern_bytes = 4 * 1024 * 1024;
/// Longer values are replaced as they are and line by line, but not in their encodings.
inline constexpr std::size_t max_encoded_bytes = 16 * 1024;

// ---------------------------------------------------------------------------------------------
// Which values are secret

/// A part of the name is TOKEN, SECRET, KEY, PASSWORD or the like, and its end does not say that it is only
/// about one (TOKEN_URL, KEY_FILE).
bool name_says_secret(std::string_view name);

/// How many bits a guesser would need, roughly and rather too few: words and numbers that people write
/// count nothing, a run that no one could pronounce counts its alphabet.
double estimated_bits(std::string_view value);

/// From this many bits on a value is secret, whatever its name.
inline constexpr double min_secret_bits = 48;

struct SecretValue {
  std::string_view name;
  std::string_view text;
};

struct Secrets {
  std::vector<SecretValue> values;     // views of the snapshot and of the plan
  std::vector<std::string> too_short;  // names that say secret, with a value under min_secret_bytes
};

/// The secret values of a snapshot. `common` and what the plan itself shows stay readable, unless the name
/// says secret; of the process environment only what a service can be given. A text that the plan itself
/// gives to a service under a name that says secret is one, too.
Secrets secrets_of(const plan::Plan& plan, const Snapshot& snapshot);

// ---------------------------------------------------------------------------------------------
// Taking them out

enum class Ending {
  whole,  // the text is complete
  cut,    // it was cut off: a secret may have begun at its end
};

class Patterns;
struct Match;

class Redactor {
 public:
  /// `memory` holds every value and every pattern; few and large allocations.
  explicit Redactor(std::pmr::memory_resource* memory = std::pmr::get_default_resource());
  ~Redactor();
  Redactor(Redactor&&) noexcept;
  Redactor& operator=(Redactor&&) = delete;

  struct Taken {
    std::size_t patterns = 0;
    std::size_t forgotten = 0;          // former secrets that had to go, the oldest first
    std::vector<std::string> left_out;  // names of live secrets whose patterns did not all fit
  };
  /// These are the live secrets now. Those from before become former ones and stay replaced. Throws
  /// std::bad_alloc; then those from before are still the live ones.
  Taken take(std::span<const SecretValue> live);

  /// `text` with each secret replaced by `[redacted:NAME]`: `text` itself where there is none, else a view
  /// of `scratch`. Secrets that overlap become one. The result never holds a pattern, not even one that a
  /// replacement brought together.
  std::string_view redact(std::string_view text, std::string& scratch, Ending ending = Ending::whole);
  /// The same in place, for texts that are not many.
  void clean(std::string& text);
  /// The one way from outside to where texts are shown and kept.
  Washed wash(Foreign text);

  /// Secrets replaced so far.
  std::uint64_t hits() const { return hits_; }

 private:
  struct Held {
    std::string name;
    std::size_t at;  // in values_
    std::size_t size;
    bool live;
  };
  std::string_view value(const Held& held) const {
    return std::string_view(values_).substr(held.at, held.size);
  }
  Taken take_all(std::span<const SecretValue> live);
  void hold(std::span<const SecretValue> live);
  std::optional<std::size_t> compile(Taken& taken);
  void find(std::string_view text, Ending ending);
  void find_below(std::string_view text, Ending ending);
  void replace(std::string_view text, std::string& out) const;

  std::pmr::memory_resource* memory_;
  std::pmr::string values_;  // one behind the other
  std::vector<Held> held_;   // live ones by name, then former ones, the newest first
  std::unique_ptr<Patterns> patterns_;
  std::vector<Match> matches_;  // of the text at hand
  std::uint64_t hits_ = 0;
};

}  // namespace arizuko::env
