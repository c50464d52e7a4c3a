// Events and actions as one line of text each: what a failing seed prints and what tests compare.
#pragma once

#include <string>

#include "arizuko/engine/action.hpp"
#include "arizuko/engine/event.hpp"

namespace arizuko::tests {

std::string to_text(const engine::Event& event, const plan::Plan& plan);
std::string to_text(const engine::Action& action, const plan::Plan& plan);

}  // namespace arizuko::tests
