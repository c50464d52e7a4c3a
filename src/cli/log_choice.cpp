#include "log_choice.hpp"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace arizuko::cli {

namespace {

/// systemd names the journal's socket that it gave a service as "DEVICE:INODE": systemd.exec(5),
/// JOURNAL_STREAM. It is inherited, so a stdout that was sent elsewhere since is another file.
bool is_journal(int descriptor) {
  const char* named = std::getenv("JOURNAL_STREAM");
  struct stat found{};
  return named != nullptr && ::fstat(descriptor, &found) == 0 &&
         fmt::format("{}:{}", found.st_dev, found.st_ino) == named;
}

}  // namespace

plan::LogFormat log_format(const RunOptions& options, const plan::Plan& plan, const Console& console) {
  if (options.log) return *options.log;
  if (plan.pod.log) return *plan.pod.log;
  if (console.is_terminal) return plan::LogFormat::console;
  return is_journal(STDOUT_FILENO) ? plan::LogFormat::journal : plan::LogFormat::json;
}

host::LogFormatter formatter_for(plan::LogFormat format, const plan::Plan& plan, const Console& console) {
  std::size_t width = std::string_view("arizuko-init").size();
  for (const plan::Service& service : plan.services) width = std::max(width, service.name.size());
  return {format, console.colour, width};
}

}  // namespace arizuko::cli
