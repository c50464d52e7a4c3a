// Which arizuko is played by the daemons that both lines have: the gated line (May 2026), or today's with
// authd, routd and runed (August 2026).
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace rehearsal {

enum class Line { Gated, Today };

// REHEARSAL_LINE=gated or today, else today's as soon as one of the variables is there that only it reads:
// AUTHD_URL, AUTHD_SERVICE_KEY (every daemon but the seed), APP_SRC_DIR (the seed). Pure.
Line line_of(const std::function<std::optional<std::string>(const std::string& key)>& value);
Line this_line();

}  // namespace rehearsal
