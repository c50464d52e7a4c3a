// Remembers which tasks were begun and not finished, across runs of arizuko-init.
//
// `creates` alone cannot tell an instance that is seeded from one whose seeding was cut short: the
// database is there in both. So a mark lies in the state directory from the spawn of a task until it
// has succeeded and was verified; a task with a mark runs again (T12, T13).
#pragma once

#include <string>

namespace arizuko::host {

class TaskMarks {
 public:
  explicit TaskMarks(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  /// False when the mark cannot be written; errno says why.
  bool begin(const std::string& task);
  void finish(const std::string& task);
  bool was_cut_short(const std::string& task) const;

 private:
  std::string path_of(const std::string& task) const;
  std::string state_dir_;
};

}  // namespace arizuko::host
