// The word that somebody meant: one rule for keys of a plan, names of services and words of the command line.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace arizuko::base {

/// How many slips make `a` out of `b`: a character more, less or other, or two neighbours swapped (Damerau,
/// optimal string alignment). Costs a.size() * b.size().
std::size_t slips_between(std::string_view a, std::string_view b);

/// The first of those `candidates` that are nearest: at most two slips away, and fewer than half of the
/// longer word. Nothing for a word of over 128 bytes or over 512 candidates: a hint is not worth seconds.
std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace arizuko::base
