// Turns a plan into its rehearsal: the stand-in program in place of every daemon, made-up values in
// place of missing ones, a data directory of the user's own. Everything else stays as planned.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "arizuko/env/snapshot.hpp"
#include "arizuko/plan/load.hpp"
#include "arizuko/plan/plan.hpp"
#include "which_plan.hpp"

namespace arizuko::cli {

/// The source that made-up values carry.
inline constexpr const char* rehearsal_source = "rehearsal";

/// arizuko-rehearsal beside `executable`, else in `path` ("a:b:c"). The error says where it was looked for.
std::expected<std::string, std::string> find_rehearsal_program(const std::string& executable,
                                                               const std::string& path);

/// ${XDG_STATE_HOME:-$HOME/.local/state}/arizuko-init/rehearsal/arizuko_<instance>, and for today's arizuko
/// .../rehearsal/routd/arizuko_<instance>, when that can be written: neither line can use the other's
/// databases. The error asks for --set pod.data_dir.
std::expected<std::string, std::string> rehearsal_data_dir(const std::string& instance, Line line,
                                                           const plan::Lookup& environment);

/// Gives every service and task the stand-in as its executable; argv stays: it tells the stand-in
/// which daemon to be.
void use_program(plan::Plan& plan, const std::string& program);

/// Makes up the Telegram and Slack tokens that the plan asks for and nobody set, then each needed key
/// of every enabled service that is unset or empty and not in env.generated. Returns the names, sorted.
std::vector<std::string> make_up_values(const plan::Plan& plan, env::Snapshot& snapshot);

}  // namespace arizuko::cli
