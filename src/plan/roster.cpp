#include "roster.hpp"

#include <fmt/format.h>

#include <ranges>

#include "arizuko/base/nearest.hpp"

namespace arizuko::plan {
namespace {

template <class Map>
std::string did_you_mean(std::string_view name, const Map& known, std::string_view sign) {
  std::vector<std::string_view> names;
  for (const auto& [each, what] : known) names.push_back(each);
  const auto meant = base::nearest(name, names);
  return meant ? fmt::format("did you mean \"{}{}\"?", sign, *meant) : "";
}

}  // namespace

Roster::Roster(const std::vector<ServiceDraft>& services) {
  for (std::size_t i = 0; i < services.size(); ++i) {
    const Service& service = services[i].service;
    services_.emplace(service.name, i);
    if (!service.group_name.empty()) groups_[service.group_name].push_back(i);
  }
}

Parsed<std::vector<std::size_t>> Roster::named(const Placed& entry, std::string_view one) const {
  const std::string_view text = entry.text;
  if (!text.starts_with('@')) {
    if (const auto found = services_.find(text); found != services_.end()) return std::vector{found->second};
    return std::unexpected(Wrong{fmt::format("there is no {} {}", one, quoted(entry.written)),
                                 did_you_mean(text, services_, "")});
  }
  if (const auto found = groups_.find(text.substr(1)); found != groups_.end()) return found->second;
  auto fix = did_you_mean(text.substr(1), groups_, "@");
  if (fix.empty()) {
    fix = groups_.empty() ? "no service says group = \"NAME\""
                          : fmt::format("the groups are @{}", fmt::join(std::views::keys(groups_), ", @"));
  }
  return std::unexpected(
      Wrong{fmt::format("there is no service in a group {}", quoted(entry.written)), std::move(fix)});
}

}  // namespace arizuko::plan
