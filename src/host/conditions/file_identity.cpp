#include "file_identity.hpp"

#include <variant>

#include <sys/stat.h>

namespace arizuko::host {

std::optional<FileIdentity> file_identity(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return std::nullopt;
  return FileIdentity{found.st_dev, found.st_ino,
                      std::int64_t{found.st_ctim.tv_sec} * 1'000'000'000 + found.st_ctim.tv_nsec};
}

std::map<std::uint32_t, FileIdentity> ready_files(const plan::Service& service) {
  std::map<std::uint32_t, FileIdentity> files;
  for (std::uint32_t watch = 0; watch < service.ready.size(); ++watch) {
    const auto* file = std::get_if<plan::FileCheck>(&service.ready[watch].check);
    if (file == nullptr) continue;
    if (const auto found = file_identity(file->path)) files[watch] = *found;
  }
  return files;
}

}  // namespace arizuko::host
