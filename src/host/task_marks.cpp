#include "task_marks.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

namespace arizuko::host {

std::string TaskMarks::path_of(const std::string& task) const {
  return fmt::format("{}/{}.begun", state_dir_, task);
}

bool TaskMarks::begin(const std::string& task) {
  const int descriptor = ::open(path_of(task).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return false;
  // The mark must survive a power cut that the task's own files survive.
  const bool synced = ::fsync(descriptor) == 0;
  ::close(descriptor);
  return synced;
}

void TaskMarks::finish(const std::string& task) { ::unlink(path_of(task).c_str()); }

bool TaskMarks::was_cut_short(const std::string& task) const {
  return ::access(path_of(task).c_str(), F_OK) == 0;
}

}  // namespace arizuko::host
