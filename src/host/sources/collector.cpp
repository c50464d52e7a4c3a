#include "collector.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arizuko/env/name.hpp"

namespace arizuko::host {

Collector::Collector(const plan::Source& source, std::vector<SourceProblem>& problems)
    : source_(plan::to_text(source)),
      bounded_(source.kind != plan::Source::Kind::environment),
      only_(source.only),
      problems_(problems) {}

void Collector::report(Weight weight, std::string_view key, std::string what, std::string_view place) {
  problems_.push_back({.weight = only_ ? Weight::notice : weight,
                       .source = fmt::format("{}{}", source_, place),
                       .key = std::string(key),
                       .what = std::move(what)});
}

bool Collector::add(std::string_view name, std::string value) {
  if (!takes(name)) {
    ignored_.emplace(name);
    return true;
  }
  unusable_.erase(std::string(name));
  bytes_ += name.size() + value.size();
  if (!bounded_) {  // the kernel has bounded it: execve(2), E2BIG
    values_.insert_or_assign(std::string(name), env::Value{.text = std::move(value), .source = source_});
    return true;
  }
  if (bytes_ > max_source_bytes || (values_.size() >= max_source_keys && !values_.contains(name))) {
    report(Weight::error, {},
           bytes_ > max_source_bytes ? std::string("more than 1 MiB of values")
                                     : fmt::format("more than {} values", max_source_keys));
    return false;
  }
  values_.insert_or_assign(std::string(name), env::Value{.text = std::move(value), .source = source_});
  return true;
}

void Collector::spoil(std::string_view name, std::string why, std::string_view place) {
  if (!takes(name)) {
    ignored_.emplace(name);
    return;
  }
  report(Weight::notice, name, why, place);
  if (const auto found = values_.find(name); found != values_.end()) values_.erase(found);
  if (unusable_.size() < max_source_keys) unusable_.insert_or_assign(std::string(name), std::move(why));
}

bool Collector::spoil_the_rest(const std::string& why) {
  if (!only_) return false;
  for (const std::string& name : *only_) {
    if (!values_.contains(name)) unusable_.insert_or_assign(name, why);
  }
  return true;
}

void Collector::report_ignored() {
  if (ignored_.empty()) return;
  constexpr std::size_t shown = 5;
  std::string names;
  for (auto name = ignored_.begin(); name != ignored_.end() && names.size() < 400; ++name) {
    if (std::distance(ignored_.begin(), name) == shown) break;
    names += (names.empty() ? "" : ", ") + *name;
  }
  if (ignored_.size() > shown) names += fmt::format(" and {} more", ignored_.size() - shown);
  report(Weight::notice, {},
         fmt::format("ignored: {}. Of this source only these are taken: {} (env.sources). Put others into "
                     "another source",
                     names, fmt::join(*only_, ", ")));
}

void Collector::merge_into(env::Snapshot& all) && {
  for (auto& [name, value] : values_) {
    all.values.insert_or_assign(name, std::move(value));
    all.unusable.erase(name);
  }
  for (auto& [name, why] : unusable_) {
    all.values.erase(name);
    all.unusable.insert_or_assign(name, fmt::format("{} ({})", why, source_));
  }
}

bool Collector::takes(std::string_view name) const {
  return !only_ || std::ranges::find(*only_, name) != only_->end();
}

std::string too_long() {
  return fmt::format("the value is longer than {} bytes, more than a process can be given",
                     env::max_value_bytes);
}

}  // namespace arizuko::host
