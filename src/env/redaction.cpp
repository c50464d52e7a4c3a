#include "arizuko/env/redaction.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <optional>
#include <set>

#include "redaction_encodings.hpp"
#include "redaction_patterns.hpp"

namespace arizuko::env {
namespace {

// Shorter than any pattern, so that none can be inside it.
constexpr std::string_view nameless = "[***]";
static_assert(nameless.size() < min_secret_bytes);

constexpr int most_layers = 3;  // of escapes: JSON in JSON in JSON

bool may_be_escaped(std::string_view text) {
  return std::memchr(text.data(), '\\', text.size()) != nullptr ||
         std::memchr(text.data(), '%', text.size()) != nullptr;
}

/// The patterns to be, without repetitions and within the limits.
class Collection {
 public:
  explicit Collection(std::pmr::memory_resource* memory) : memory_(memory), texts_(memory) {}

  /// False when one of `forms` had no room.
  bool add(const SecretTexts& forms, std::uint32_t name) {
    bool all = true;
    for (const std::pmr::string& form : forms) {
      if (known_.contains(form)) continue;
      if (texts_.size() >= max_patterns || bytes_ + form.size() > max_pattern_bytes) {
        all = false;
        continue;
      }
      bytes_ += form.size();
      texts_.push_back({std::pmr::string(form, memory_), name});
      known_.insert(texts_.back().text);
    }
    return all;
  }
  std::size_t size() const { return texts_.size(); }

  std::unique_ptr<Patterns> made(std::pmr::memory_resource* memory) const {
    auto patterns = std::make_unique<Patterns>(memory);
    patterns->reserve(texts_.size(), bytes_);
    for (const Entry& each : texts_) patterns->add(each.text, each.name);
    patterns->prepare();
    return patterns;
  }

 private:
  struct Entry {
    std::pmr::string text;
    std::uint32_t name;
  };
  std::pmr::memory_resource* memory_;
  std::pmr::deque<Entry> texts_;  // whose elements stay where they are: known_ looks into them
  std::set<std::string_view> known_;
  std::size_t bytes_ = 0;
};

}  // namespace

Redactor::Redactor(std::pmr::memory_resource* memory)
    : memory_(memory), values_(memory), patterns_(std::make_unique<Patterns>(memory)) {}
Redactor::~Redactor() = default;
Redactor::Redactor(Redactor&&) noexcept = default;

/// Live ones first, then those that were live before, then those that were former ones already.
void Redactor::hold(std::span<const SecretValue> live) {
  std::vector<std::pair<Held, std::string_view>> next;
  const auto keep = [&](std::string_view name, std::string_view text, bool is_live) {
    // A value of several names is one: what it is called first. (The list is short and changes rarely.)
    if (std::ranges::find(next, text, [](const auto& each) { return each.second; }) != next.end()) return;
    next.push_back({Held{std::string(name), 0, text.size(), is_live}, text});
  };
  for (const SecretValue& each : live) keep(each.name, each.text, true);
  for (const Held& each : held_) keep(each.name, value(each), false);

  std::size_t bytes = 0;
  for (const auto& [held, text] : next) bytes += text.size();
  std::pmr::string values(memory_);
  values.reserve(bytes);
  held_.clear();
  for (auto& [held, text] : next) {
    held.at = values.size();
    values += text;
    held_.push_back(std::move(held));
  }
  values_ = std::move(values);
}

Redactor::Taken Redactor::take(std::span<const SecretValue> live) {
  // Without memory for the new ones all is as it was: the patterns' names are places in held_.
  std::vector<Held> held_before = held_;
  std::pmr::string values_before(values_, memory_);
  try {
    return take_all(live);
  } catch (...) {
    held_.swap(held_before);
    values_.swap(values_before);
    throw;
  }
}

Redactor::Taken Redactor::take_all(std::span<const SecretValue> live) {
  hold(live);
  Taken taken;
  std::optional<std::size_t> too_many = compile(taken);
  if (too_many) {  // the first former one that does not fit goes, and with it all that are older
    taken.forgotten = held_.size() - *too_many;
    held_.resize(*too_many);
    compile(taken);
  }
  return taken;
}

/// Makes the patterns; returns the first of the former ones that found no room.
std::optional<std::size_t> Redactor::compile(Taken& taken) {
  std::pmr::monotonic_buffer_resource arena(memory_);
  Collection collection(&arena);
  std::vector<bool> complete(held_.size(), true);
  // First every live value as it is: should there be too many, encodings go before values.
  for (std::uint32_t i = 0; i < held_.size() && held_[i].live; ++i) {
    SecretTexts forms(&arena);
    forms.emplace_back(value(held_[i]));
    complete[i] = collection.add(forms, i);
  }
  for (std::uint32_t i = 0; i < held_.size(); ++i) {
    SecretTexts parts(&arena);
    parts.emplace_back(value(held_[i]));
    append_parts(held_[i].name, value(held_[i]), parts);
    SecretTexts forms(&arena);
    for (const std::pmr::string& part : parts) append_encodings(part, forms);
    complete[i] = collection.add(forms, i) && complete[i];
    if (!complete[i] && !held_[i].live) return i;
  }
  taken.patterns = collection.size();
  taken.left_out.clear();
  for (std::size_t i = 0; i < held_.size(); ++i) {
    if (!complete[i]) taken.left_out.push_back(held_[i].name);
  }
  patterns_ = collection.made(memory_);  // last: what throws has changed nothing
  return std::nullopt;
}

void Redactor::clean(std::string& text) {
  std::string scratch;
  const std::string_view result = redact(text, scratch);
  if (result.data() != text.data()) text = std::move(scratch);
}

Washed Redactor::wash(Foreign text) {
  clean(text.text_);
  return Washed(std::move(text.text_));
}

std::string_view Redactor::redact(std::string_view text, std::string& scratch, Ending ending) {
  if (patterns_->size() == 0) return text;
  find(text, ending);
  if (may_be_escaped(text)) find_below(text, ending);
  if (matches_.empty()) return text;
  hits_ += matches_.size();
  replace(text, scratch);
  return scratch;
}

void Redactor::find(std::string_view text, Ending ending) {
  switch (ending) {
    case Ending::whole: return patterns_->find(text, matches_);
    case Ending::cut: return patterns_->find_begun(text, matches_);
  }
}

/// However it was escaped: escapes are undone, layer by layer, and what is found there is marked where it
/// stands in `text`.
void Redactor::find_below(std::string_view text, Ending ending) {
  std::vector<Match> all = matches_;
  Unescaped layer;
  if (!unescape(text, layer, ending)) return;
  for (int i = 1;; ++i) {
    find(layer.text, ending);
    for (Match match : matches_) {
      // A character of several bytes stands in one escape: all of it goes.
      while (match.end < layer.text.size() && layer.origin[match.end] == layer.origin[match.end - 1])
        ++match.end;
      all.push_back({layer.origin[match.begin], layer.origin[match.end], match.name});
    }
    Unescaped below;
    if (i == most_layers || !unescape(layer.text, below, ending)) break;
    for (std::size_t& origin : below.origin) origin = layer.origin[origin];
    layer = std::move(below);
  }
  merge(all);
  matches_ = std::move(all);
}

/// `out` becomes `text` without its matches.
void Redactor::replace(std::string_view text, std::string& out) const {
  const auto write = [&](auto&& append_marker) {
    out.clear();
    std::size_t from = 0;
    for (const Match& match : matches_) {
      out += text.substr(from, match.begin - from);
      append_marker(match);
      from = match.end;
    }
    out += text.substr(from);
  };
  write([&](const Match& match) { out.append("[redacted:").append(held_[match.name].name).append("]"); });
  // A secret may be a name, or be made by what now stands side by side.
  if (patterns_->any_in(out)) {
    write([&](const Match&) { out += nameless; });
    if (patterns_->any_in(out)) out = nameless;
  }
}

}  // namespace arizuko::env
