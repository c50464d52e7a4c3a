#include "task_marks.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/posix/files.hpp"

namespace arizuko::host {

std::string TaskMarks::name_of(const std::string& task) { return task + ".begun"; }

bool TaskMarks::begin(const std::string& task) {
  // Replaced, whatever is there: only the name counts. Synchronized, for the mark must survive a power cut
  // that the task's own files survive.
  const auto written = posix::replace_file(state_.descriptor(), name_of(task), "");
  if (!written) errno = written.error().error;
  return written.has_value();
}

void TaskMarks::finish(const std::string& task) { ::unlinkat(state_.descriptor(), name_of(task).c_str(), 0); }

bool TaskMarks::was_cut_short(const std::string& task) const {
  struct stat info{};
  return ::fstatat(state_.descriptor(), name_of(task).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace arizuko::host
