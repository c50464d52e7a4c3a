// The request of an http condition as text, its holes filled in. Private to the host layer. No I/O.
#pragma once

#include <expected>
#include <string>

#include "arizuko/env/scope.hpp"
#include "arizuko/plan/plan.hpp"

namespace arizuko::host {

struct HttpQuestion {
  std::string request;   // may hold secrets: goes to the socket and nowhere else
  std::string contains;  // likewise
};

/// True when a value of the environment is needed to ask.
bool has_holes(const plan::HttpCheck& check);

/// Or why it cannot be asked: "CHANNEL_SECRET is not set". Never a value.
std::expected<HttpQuestion, std::string> fill_in(const plan::HttpCheck& check,
                                                 const env::Environment& environment);

}  // namespace arizuko::host
