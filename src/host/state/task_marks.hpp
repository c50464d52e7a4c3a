// Remembers which tasks were begun and not finished, across runs of arizuko-init.
//
// `creates` alone cannot tell an instance that is seeded from one whose seeding was cut short: the
// database is there in both. So a mark lies in the state directory from the spawn of a task until it
// has succeeded and was verified; a task with a mark runs again (T12, T13).
#pragma once

#include <string>
#include <utility>

#include "arizuko/host/state/state_dir.hpp"

namespace arizuko::host {

class TaskMarks {
 public:
  explicit TaskMarks(StateDir state) : state_(std::move(state)) {}

  /// False when the mark cannot be written; errno says why.
  bool begin(const std::string& task);
  void finish(const std::string& task);
  bool was_cut_short(const std::string& task) const;

 private:
  static std::string name_of(const std::string& task);
  StateDir state_;
};

}  // namespace arizuko::host
