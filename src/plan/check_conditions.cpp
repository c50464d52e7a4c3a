// What an http condition takes from elsewhere: the service that it asks, and values of the environment.
#include <fmt/format.h>

#include <algorithm>

#include "arizuko/base/nearest.hpp"
#include "draft.hpp"

namespace arizuko::plan {
namespace {

class ConditionCheck {
 public:
  ConditionCheck(const Node& root, const Draft& draft, Problems& problems)
      : root_(root), draft_(draft), problems_(problems) {}

  void service(const ServiceDraft& one) const {
    for (const Condition& condition : one.service.ready) look(one, "ready", condition);
    for (const Condition& condition : one.service.live) look(one, "live", condition);
  }

 private:
  void look(const ServiceDraft& one, std::string_view table, const Condition& condition) const {
    const auto* check = std::get_if<HttpCheck>(&condition.check);
    if (check == nullptr) return;
    const auto key = fmt::format("{}.{}.http", one.key, table);
    if (!check->of.empty()) asked(key, check->of);
    takes(one, key + ".contains", check->contains);
    for (const auto& [name, value] : check->headers) takes(one, key + ".headers." + name, value);
  }

  void asked(const std::string& key, const std::string& name) const {
    std::vector<std::string_view> names;
    for (const ServiceDraft& each : draft_.services) {
      if (each.service.kind == Kind::task) continue;
      if (each.service.name == name) return;
      names.push_back(each.service.name);
    }
    const auto meant = base::nearest(name, names);
    refuse(key + ".of", fmt::format("there is no service {}", quoted(name)),
           meant ? fmt::format("did you mean \"{}\"?", *meant) : "name the service whose listener answers");
  }

  /// A check may hold what its service may see, and no more.
  void takes(const ServiceDraft& one, const std::string& key, const Template& text) const {
    const Service& service = one.service;
    for (const auto& part : text.parts) {
      const auto* hole = std::get_if<EnvReference>(&part);
      if (hole == nullptr) continue;
      const auto gives = [&](const std::vector<Taken>& list) {
        return std::ranges::find(list, hole->name, &Taken::name) != list.end();
      };
      const std::vector<std::string>& common = draft_.plan.env.common;
      const bool set = std::ranges::any_of(service.env, [&](const auto& e) { return e.first == hole->name; });
      if (set || gives(service.take) || gives(service.need) ||
          std::ranges::find(common, hole->name) != common.end())
        continue;
      refuse(key,
             fmt::format("refers to ${{{}}}, which {} does not see: a condition sees what its service sees",
                         hole->name, service.name),
             fmt::format("add it to take: take = [\"{}\"]", hole->name));
    }
  }

  void refuse(const std::string& key, std::string what, std::string fix) const {
    problems_.push_back({Severity::error, locate(root_, key), key, std::move(what), std::move(fix)});
  }

  const Node& root_;
  const Draft& draft_;
  Problems& problems_;
};

}  // namespace

void check_conditions(const Node& root, const Draft& draft, Problems& problems) {
  const ConditionCheck check{root, draft, problems};
  for (const ServiceDraft& one : draft.services) check.service(one);
}

}  // namespace arizuko::plan
