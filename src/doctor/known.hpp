// What doctor knows of arizuko beside the plan: whom a daemon's name means, and what the plan gives it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/doctor/checks.hpp"
#include "arizuko/env/scope.hpp"

namespace arizuko::doctor {

/// Services and tasks that will run: enabled in the plan, and by the values that are set.
std::vector<const plan::Service*> running(const Context& context);

/// A stand-in takes its place (--rehearse): what it runs is not what the plan names.
inline bool is_rehearsed(const plan::Service& service) { return !service.executable.empty(); }

/// Without it the pod is never ready, or ends: essential, or in ready_when.
bool matters(const plan::Plan& plan, const plan::Service& service);

/// The file name of the program that it runs: "gated" for /usr/local/bin/gated.
std::string_view program_name(const plan::Service& service);

/// A service or a task of the plan runs this program, whether it is switched on or not: by that one tells the
/// gated line's plan from today's.
bool has_program(const plan::Plan& plan, std::string_view program);

/// The databases that the plan speaks of, sorted: what the tasks create and verify, and what the environment
/// of services names, as far as its name ends in .db and it lies in the data directory.
std::vector<std::string> databases(const Context& context);

/// What a task creates, and is done by: for the databases among them an empty file is no beginning (T13).
std::vector<std::string> seeded_databases(const Context& context);

/// "true" and "1", as the daemons read a switch.
bool is_on(const env::Environment& environment, const std::string& name);

/// The value, or an empty text: for the daemons both are unset.
std::string value_of(const env::Environment& environment, const std::string& name);

/// Why ASSISTANT_NAME would do harm: daemons refuse it, or the router takes what others write for its own
/// (T33).
struct NameTrouble {
  std::string what;
  std::string_view why;
};
std::optional<NameTrouble> trouble_with_assistant(std::string_view name,
                                                  const std::vector<std::string>& groups);
inline constexpr std::string_view another_assistant =
    "choose a plain word that no platform, daemon, group or kind of sender begins with";

/// Whether the next start makes a value of env.generated for this key, and else why not.
enum class Generation {
  no,  // it has a value, a trouble of its own, or is none of these keys
  at_the_next_start,
  no_there_is_data,  // guarded, and something was stored without it (T16)
  no_it_is_lost,     // guarded, and the last run had one
};
Generation will_generate(const Context& context, const std::string& key);

/// Where the value of `name` comes from: a source of the plan, for Finding::where.
plan::Location source_of(const Context& context, std::string_view name);

}  // namespace arizuko::doctor
