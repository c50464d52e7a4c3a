// The files in which daemons keep a login (plan: `cached`), moved as the engine says.
#pragma once

#include <string>
#include <vector>

#include "arizuko/engine/action.hpp"

namespace arizuko::host {

/// Returns what could not be moved, a sentence each.
std::vector<std::string> move_logins(const plan::Plan& plan, const engine::LoginFiles& action);

/// What a run that was cut short left aside: its way back is gone with it. At the start.
void forget_old_logins(const plan::Plan& plan);

}  // namespace arizuko::host
