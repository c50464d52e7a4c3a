#include "arizuko/host/sources/plan_files.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "arizuko/posix/files.hpp"

namespace arizuko::host {
namespace {

enum class Role { plan, drop_in };

constexpr std::size_t most_names = 10'000;  // of a directory that are looked at, whatever they are

plan::Problem problem(std::string path, std::string what, std::string fix) {
  return {plan::Severity::error, {std::move(path), 0, 0}, "", std::move(what), std::move(fix)};
}

bool is_drop_in(std::string_view name) { return name.ends_with(".toml") && !name.starts_with('.'); }

/// Of an open directory; the error is what is wrong with it.
std::expected<std::vector<std::string>, std::string> drop_ins(posix::Descriptor directory,
                                                              const std::string& path) {
  const std::unique_ptr<DIR, decltype([](DIR* open) { ::closedir(open); })> stream(
      ::fdopendir(directory.get()));
  if (!stream) return std::unexpected(fmt::format("cannot be listed: {}", std::strerror(errno)));
  static_cast<void>(directory.release());  // closedir(3) closes it
  std::vector<std::string> paths;
  std::size_t names = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    if (++names > most_names) return std::unexpected(fmt::format("holds more than {} names", most_names));
    if (is_drop_in(entry->d_name)) paths.push_back(fmt::format("{}/{}", path, entry->d_name));
  }
  std::ranges::sort(paths);
  return paths;
}

void add_drop_ins(const std::string& directory_path, std::vector<std::string>& paths,
                  plan::Problems& problems) {
  auto directory = posix::open_directory(AT_FDCWD, directory_path, posix::Links::followed);
  if (!directory) {
    if (directory.error().error == ENOENT) return;
    const bool in_the_way = directory.error().error == ENOTDIR;
    problems.push_back(problem(
        directory_path,
        in_the_way ? directory.error().what : fmt::format("cannot be listed: {}", directory.error().what),
        in_the_way ? "move it away: the drop-ins of the plan are looked for there"
                   : "check its permissions"));
    return;
  }
  auto found = drop_ins(std::move(*directory), directory_path);
  if (!found) {
    problems.push_back(problem(directory_path, found.error(), "keep only the plan's drop-ins there"));
  } else if (found->size() >= plan::most_files) {
    problems.push_back(problem(directory_path, fmt::format("holds {} drop-ins", found->size()),
                               fmt::format("a plan can have {} files with the plan file", plan::most_files)));
  } else {
    paths.insert(paths.end(), found->begin(), found->end());
  }
}

plan::Problem cannot_read(const std::string& path, const posix::FileTrouble& trouble, Role role) {
  switch (trouble.error) {
    case ENOENT:
      return role == Role::plan ? problem(path, "the file is missing", "name the plan with --plan FILE")
                                : problem(path, "is a link to nothing", "remove it");
    case EFBIG: return problem(path, trouble.what, "make it several files");
    case EINVAL:
    case EISDIR: return problem(path, trouble.what, "a plan is made of files; move it away");
    case EACCES: return problem(path, "cannot be read: " + trouble.what, "check its permissions");
    default: return problem(path, "cannot be read: " + trouble.what, "look at the file system that it is on");
  }
}

}  // namespace

std::expected<std::vector<plan::File>, plan::Problems> read_plan_files(const std::string& path) {
  std::vector<std::string> paths{path};
  plan::Problems problems;
  add_drop_ins(path + ".d", paths, problems);
  std::vector<plan::File> files;
  for (std::string& each : paths) {
    if (auto text = posix::read_file(each, plan::most_file_bytes))
      files.push_back({std::move(each), std::move(*text)});
    else
      problems.push_back(cannot_read(each, text.error(), each == path ? Role::plan : Role::drop_in));
  }
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return files;
}

}  // namespace arizuko::host
