#include "arizuko/host/process/find_executable.hpp"

#include <fmt/format.h>

#include "arizuko/posix/find_program.hpp"

namespace arizuko::host {

std::expected<std::string, SpawnError> find_executable(std::string_view program, std::string_view path) {
  if (program.contains('/')) return std::string(program);
  auto found = posix::find_program(program, path, posix::Directories::all);
  if (found) return *std::move(found);
  std::string subject = program.empty() ? "\"\"" : fmt::format("{} in PATH {}", program, path);
  return std::unexpected(SpawnError{SpawnStage::finding_the_program, found.error(), std::move(subject)});
}

}  // namespace arizuko::host
