// Joined values (env.NAME = { join, of }): lists of keys in which one is missing, doubled, or breaks its
// item.
#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "known.hpp"

namespace arizuko::doctor {

namespace {

constexpr std::string_view check = "joined-values";

class List {
 public:
  List(const Context& context, const plan::Service& owner, const std::string& name, Findings& found)
      : context_(context),
        owner_(owner),
        key_(fmt::format("{}.{}.env.{}", owner.kind == plan::Kind::task ? "task" : "service", owner.name,
                         name)),
        found_(found) {}

  void look(const plan::Joined& joined) {
    for (const plan::Template& item : joined.items) {
      plan::each_reference(item, [&](const plan::EnvReference& reference) {
        if (context_.snapshot.has(reference.name)) {
          look_at_value(item, reference.name);
        } else if (!reference.fallback) {
          look_at_missing(reference.name);
        }
      });
    }
    for (const auto& [value, keys] : by_value_) {
      if (keys.size() < 2) continue;
      report(Severity::error, fmt::format("{} have the same value", fmt::join(keys, " and ")),
             "who is told apart by it is not: of two principals with one key, the last counts (N1)",
             "give each a value of its own");
    }
  }

 private:
  void look_at_value(const plan::Template& item, const std::string& key) {
    const std::string& value = *context_.snapshot.find(key);
    std::vector<std::string>& same = by_value_[value];
    if (std::ranges::find(same, key) == same.end()) same.push_back(key);
    const auto* first = std::get_if<std::string>(&item.parts.front());
    const bool is_pair = first != nullptr && first->contains('=');
    if (is_pair && value.contains('=')) {
      report(Severity::warning, fmt::format("the value of {} holds a \"=\"", key),
             "an item is a name, a \"=\" and a value: whoever splits it at the last one reads another value "
             "(N1)",
             fmt::format("give {} a value without", key));
    }
  }

  /// Left out here: who takes the key all the same is not known by it.
  void look_at_missing(const std::string& key) {
    if (context_.snapshot.unusable.contains(key) ||
        will_generate(context_, key) == Generation::at_the_next_start)
      return;
    std::vector<std::string> takers;
    for (const plan::Service* each : running(context_)) {
      const std::vector<std::string> scope = env::scope(context_.plan, *each);
      if (each != &owner_ && std::ranges::binary_search(scope, key)) takers.push_back(each->name);
    }
    if (takers.empty()) return;
    report(Severity::warning, fmt::format("{} is not set", key),
           fmt::format("it is left out of the list, and {} would have to prove by it who it is (N1)",
                       fmt::join(takers, ", ")),
           fmt::format("set {}, or have it made: env.generated", key));
  }

  void report(Severity severity, std::string_view what, std::string_view why, std::string_view fix) {
    add(found_, severity, check, owner_.where, key_, what, why, fix);
  }

  const Context& context_;
  const plan::Service& owner_;
  std::string key_;
  Findings& found_;
  std::map<std::string_view, std::vector<std::string>> by_value_;
};

}  // namespace

Findings check_joined(const Context& context) {
  Findings found;
  for (const plan::Service* each : running(context)) {
    for (const auto& [name, value] : each->env) {
      if (const auto* joined = std::get_if<plan::Joined>(&value))
        List(context, *each, name, found).look(*joined);
    }
  }
  return found;
}

}  // namespace arizuko::doctor
