// The values of one source, added up under its limits; what is wrong with them is reported, and never holds a
// value.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/env/snapshot.hpp"
#include "arizuko/host/sources/environment_reader.hpp"
#include "arizuko/plan/plan.hpp"

namespace arizuko::host {

class Collector {
 public:
  using Weight = SourceProblem::Weight;

  /// `problems` outlives it.
  Collector(const plan::Source& source, std::vector<SourceProblem>& problems);

  /// `place` follows the source's name: ":12", a line. Of a source with `only` it is no more than a notice.
  void report(Weight weight, std::string_view key, std::string what, std::string_view place = {});

  /// False when the source is full: said once, nothing more is taken.
  bool add(std::string_view name, std::string value);

  /// This key has no value, and a weaker source's is none for it either.
  void spoil(std::string_view name, std::string why, std::string_view place = {});

  /// Something is wrong with the source as a whole, or from some place on: of a source with `only`, what was
  /// not found cannot be told from what is not there. False: it is not such a source.
  bool spoil_the_rest(const std::string& why);

  /// Names that the source holds and `only` does not list.
  void report_ignored();

  bool holds(std::string_view name) const { return values_.contains(name) || unusable_.contains(name); }

  /// Over what weaker sources said of the same keys.
  void merge_into(env::Snapshot& all) &&;

 private:
  bool takes(std::string_view name) const;

  std::string source_;
  bool bounded_;
  std::optional<std::vector<std::string>> only_;
  std::vector<SourceProblem>& problems_;
  std::map<std::string, env::Value, std::less<>> values_;
  std::map<std::string, std::string, std::less<>> unusable_;
  std::set<std::string> ignored_;
  std::size_t bytes_ = 0;
};

/// What is said of a value that no process could be given.
std::string too_long();

}  // namespace arizuko::host
