// Who is meant where a plan names services in a list: "teled" is one, "@adapters" all of a group.
#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "draft.hpp"

namespace arizuko::plan {

class Roster {
 public:
  /// Sees the services' names and groups as they are now; outlived by `services`.
  explicit Roster(const std::vector<ServiceDraft>& services);

  /// Indexes into the services, in their order. `one` is what a name that stands alone should be: "service".
  Parsed<std::vector<std::size_t>> named(const Placed& entry, std::string_view one) const;

 private:
  std::map<std::string_view, std::size_t> services_;
  std::map<std::string_view, std::vector<std::size_t>> groups_;
};

}  // namespace arizuko::plan
