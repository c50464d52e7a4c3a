// Which of the two stock plans a command takes when none is named: arizuko.toml for the gated line,
// arizuko-routd.toml for today's arizuko, whose router is routd. The image decides: the one whose router is
// there to be run.
//
// Pure but for the two functions at the end, which look where files are. What was found is a value, and the
// sentence about it is made last.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/plan/plan.hpp"

namespace arizuko::cli {

enum class Line { gated, routd };
inline constexpr std::array both_lines{Line::gated, Line::routd};

/// "arizuko.toml"
std::string_view plan_file_of(Line line);
/// The daemon by which one knows an image of that line: "gated".
std::string_view router_of(Line line);

/// The line of any plan, by the programs of its services; the gated line where neither router is among them.
Line line_of(const plan::Plan& plan);

/// A stock plan that is there.
struct StockPlan {
  Line line{};
  std::string file;         // its path
  std::string search_path;  // its pod.path; only asked for where there are two
  std::string router;       // where its router is in that; empty: nowhere
};

struct PlanChoice {
  enum class Because {
    it_was_named,
    it_is_the_only_one,
    its_router_is_there,
    both_routers_are,
    no_router_is
  };
  std::string file;
  Because because = Because::it_was_named;
  std::vector<StockPlan> of;  // what it was chosen from
};

/// Of one or two; where nothing tells them apart, that of the gated line.
PlanChoice choose(std::vector<StockPlan> plans);

/// Nothing told the two plans apart: `run` refuses, and who only looks says so.
bool is_doubtful(const PlanChoice& choice);

/// One line without a newline: which plan and why, or why it cannot be told and what would work.
std::string to_text(const PlanChoice& choice);
/// The same for who takes the gated line's although nothing tells.
std::string taken_in_doubt(const PlanChoice& choice);

/// "--plan /etc/arizuko/arizuko.toml for gated, --plan ... for routd": of what it was chosen from.
std::string ways_to_name(const PlanChoice& choice);

/// Where stock plans are looked for, in this order: /etc/arizuko, then etc/ of the source tree that
/// `executable` was built in.
std::vector<std::string> plan_directories(const std::string& executable);

/// Those of the first directory that has any: file and line only.
std::vector<StockPlan> stock_plans(const std::vector<std::string>& directories);

}  // namespace arizuko::cli
