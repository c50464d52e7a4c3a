// Every key that a plan can have, with its type and default: what unknown keys are told by, and what
// docs/reference/plan.md is held against by a test.
//
// Pure data, no dependence on the parser.
#pragma once

#include <span>
#include <string_view>

namespace arizuko::plan {

/// The table that a key stands in.
enum class Section {
  plan,     // the file itself
  pod,      // [pod]
  env,      // [env]
  unit,     // [service.NAME] and [task.NAME]
  service,  // [service.NAME] only
  task,     // [task.NAME] only
  look,     // .ready and .live
  restart,  // .restart
  stop,     // .stop
  agents,   // [agents]
};

struct Key {
  Section section;
  std::string_view name;
  std::string_view type;      // as in docs/reference/plan.md, without backticks
  std::string_view standard;  // the default, likewise; empty where the docs give none
  std::string_view meaning;   // one line, for help
  // Of a condition: the keys of its table form, its main key first. ".ready only", ".live never" are
  // told apart in the parser.
  std::string_view parts = "";
};

/// All keys, in the order of docs/reference/plan.md.
std::span<const Key> schema();

/// Keys that the table form of every condition takes besides its own parts.
std::span<const std::string_view> condition_keys();

}  // namespace arizuko::plan
