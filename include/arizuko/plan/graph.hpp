// The links of a plan as a picture: for a terminal, for Graphviz, for Markdown. `arizuko-init graph`.
//
// Pure. Shows names of services and groups, and why one is not started in the caller's words; no value of the
// environment. Time and text grow with services and links; 4096 services, the most that a plan can have, are
// no trouble.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arizuko/plan/plan.hpp"

namespace arizuko::plan {

enum class GraphFormat {
  text,     // at most 80 columns wide, but for long names
  dot,      // begins with "digraph"
  mermaid,  // as GitHub draws it in a block ```mermaid
};

enum class GraphLinks {
  telling,  // without those that follow from others
  all,
};

/// One that is not started with the values that there are.
struct Idle {
  enum class State { off, blocked } state = State::off;
  ServiceId service = 0;
  std::string why;  // "TELEGRAM_BOT_TOKEN is not set"
};

struct GraphRequest {
  GraphFormat format = GraphFormat::text;
  GraphLinks links = GraphLinks::telling;
  std::vector<Idle> idle;  // what the plan itself switches off needs no entry
};

/// Ends with a newline.
std::string graph(const Plan& plan, const GraphRequest& request);

}  // namespace arizuko::plan
