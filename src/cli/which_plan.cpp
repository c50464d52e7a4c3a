#include "which_plan.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace arizuko::cli {

namespace {

using Because = PlanChoice::Because;

Because reason(const std::vector<StockPlan>& plans, const StockPlan& chosen) {
  if (plans.size() == 1) return Because::it_is_the_only_one;
  const auto there = std::ranges::count_if(plans, [](const StockPlan& each) { return !each.router.empty(); });
  if (there == 0) return Because::no_router_is;
  return there == 1 && !chosen.router.empty() ? Because::its_router_is_there : Because::both_routers_are;
}

std::string what_is_in_doubt(const PlanChoice& choice) {
  std::vector<std::string> routers;
  if (choice.because == Because::both_routers_are) {
    for (const StockPlan& each : choice.of)
      routers.push_back(fmt::format("{} ({})", router_of(each.line), each.router));
    return fmt::format("{} are both there", fmt::join(routers, " and "));
  }
  for (const StockPlan& each : choice.of)
    routers.push_back(fmt::format("there is no {} in {}", router_of(each.line), each.search_path));
  return fmt::format("{}", fmt::join(routers, ", and "));
}

std::string by_its_router(const PlanChoice& choice) {
  std::string there;
  std::string_view missing;
  for (const StockPlan& each : choice.of) {
    if (each.router.empty())
      missing = router_of(each.line);
    else
      there = fmt::format("{} is {}", router_of(each.line), each.router);
  }
  return fmt::format("the plan is {}, for {}, and there is no {}", choice.file, there, missing);
}

}  // namespace

std::string_view plan_file_of(Line line) {
  switch (line) {
    case Line::gated: return "arizuko.toml";
    case Line::routd: return "arizuko-routd.toml";
  }
  return "?";
}

std::string_view router_of(Line line) {
  switch (line) {
    case Line::gated: return "gated";
    case Line::routd: return "routd";
  }
  return "?";
}

Line line_of(const plan::Plan& plan) {
  const auto runs = [&](Line line) {
    return std::ranges::any_of(plan.services, [&](const plan::Service& each) {
      const std::string_view program = each.command.empty() ? std::string_view{} : each.command.front();
      return program.substr(program.rfind('/') + 1) == router_of(line);  // npos + 1 is 0
    });
  };
  return runs(Line::routd) && !runs(Line::gated) ? Line::routd : Line::gated;
}

PlanChoice choose(std::vector<StockPlan> plans) {
  // The gated line's comes first, so it is the one where both or none are there.
  const auto with_router =
      std::ranges::find_if(plans, [](const StockPlan& each) { return !each.router.empty(); });
  const StockPlan& chosen = with_router == plans.end() ? plans.front() : *with_router;
  PlanChoice choice{chosen.file, reason(plans, chosen), {}};
  choice.of = std::move(plans);
  return choice;
}

bool is_doubtful(const PlanChoice& choice) {
  return choice.because == Because::both_routers_are || choice.because == Because::no_router_is;
}

std::string to_text(const PlanChoice& choice) {
  switch (choice.because) {
    case Because::it_was_named: return fmt::format("the plan is {}", choice.file);
    case Because::it_is_the_only_one:
      return fmt::format("the plan is {}, the only stock plan there", choice.file);
    case Because::its_router_is_there: return by_its_router(choice);
    case Because::both_routers_are:
    case Because::no_router_is:
      return fmt::format("it cannot be told which plan fits: {}; name it: {}", what_is_in_doubt(choice),
                         ways_to_name(choice));
  }
  return {};
}

std::string taken_in_doubt(const PlanChoice& choice) {
  return fmt::format("the plan is {}, for nothing tells which one fits: {}; name it: {}", choice.file,
                     what_is_in_doubt(choice), ways_to_name(choice));
}

std::string ways_to_name(const PlanChoice& choice) {
  std::vector<std::string> ways;
  for (const StockPlan& each : choice.of)
    ways.push_back(fmt::format("--plan {} for {}", each.file, router_of(each.line)));
  return fmt::format("{}", fmt::join(ways, ", "));
}

std::vector<std::string> plan_directories(const std::string& executable) {
  std::vector<std::string> directories = {"/etc/arizuko"};
  // <tree>/build/<preset>/arizuko-init belongs to <tree>/etc.
  std::string tree = executable;
  for (int level = 0; level < 3 && !tree.empty(); ++level) {
    const std::size_t slash = tree.rfind('/');
    if (level == 2 && !tree.substr(slash + 1).starts_with("build")) tree.clear();
    tree = tree.substr(0, tree.empty() ? 0 : slash);
  }
  if (!tree.empty()) directories.push_back(tree + "/etc");
  return directories;
}

std::vector<StockPlan> stock_plans(const std::vector<std::string>& directories) {
  std::vector<StockPlan> plans;
  for (const std::string& directory : directories) {
    for (const Line line : both_lines) {
      std::string file = fmt::format("{}/{}", directory, plan_file_of(line));
      if (::access(file.c_str(), F_OK) == 0) plans.push_back({line, std::move(file), {}, {}});
    }
    if (!plans.empty()) break;
  }
  return plans;
}

}  // namespace arizuko::cli
