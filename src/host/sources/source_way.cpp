#include "source_way.hpp"

#include <algorithm>
#include <array>
#include <deque>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

namespace arizuko::host {

std::string join(const std::string& directory, const std::string& name) {
  return directory == "/" ? directory + name : directory + "/" + name;
}

std::optional<std::string> link_at(const std::string& path) {
  std::array<char, 4096> target;  // PATH_MAX
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  if (length <= 0 || static_cast<std::size_t>(length) == target.size()) return std::nullopt;
  return std::string(target.data(), static_cast<std::size_t>(length));
}

namespace {

constexpr int max_links = 40;  // on one path, as the kernel: path_resolution(7)

void prepend(std::deque<std::string>& names, std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0) parts.emplace_back(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  names.insert(names.begin(), parts.begin(), parts.end());
}

std::string parent_of(const std::string& directory) {
  const std::size_t slash = directory.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : directory.substr(0, slash);
}

enum class Ends { at_a_file, at_a_directory };

/// Goes the path as the kernel would, name by name, and notes each place where it could turn out
/// otherwise: links, the first name that is missing, and its end.
Way way_to(const std::string& path, Ends ends) {
  Way way;
  std::deque<std::string> names;
  prepend(names, path);
  std::string at = "/";
  for (int links = 0; !names.empty();) {
    const std::string name = std::move(names.front());
    names.pop_front();
    if (name == ".") continue;
    if (name == "..") {
      at = parent_of(at);
      continue;
    }
    const std::string full = join(at, name);
    struct stat status{};
    const bool exists = ::lstat(full.c_str(), &status) == 0;
    if (exists && S_ISLNK(status.st_mode)) {
      way.places.push_back({at, name});
      const auto target = link_at(full);
      if (!target || ++links > max_links) return way;
      if (target->starts_with('/')) at = "/";
      prepend(names, *target);
      continue;
    }
    if (exists && S_ISDIR(status.st_mode)) {
      at = full;
      continue;
    }
    way.places.push_back({at, name});
    way.present = exists && names.empty() && ends == Ends::at_a_file;
    if (way.present) way.destination = full;
    return way;
  }
  // The end is a directory.
  way.present = ends == Ends::at_a_directory;
  way.destination = at;
  way.places.push_back(way.present ? Place{at, {}} : Place{parent_of(at), at.substr(at.rfind('/') + 1)});
  return way;
}

// So many keys of one directory may be links to elsewhere; a change of what is behind further ones is seen by
// the slow comparison.
constexpr int most_links_of_keys = 64;

/// A key may be a link to a file elsewhere: what it leads to is written there, and nothing happens here.
/// Those through ..data, as the kubelet makes them, are switched with it.
void add_links_of_keys(Way& way) {
  DIR* const directory = ::opendir(way.destination.c_str());
  if (directory == nullptr) return;
  int links = 0;
  while (const dirent* entry = ::readdir(directory)) {
    const bool may_be_link = entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN;
    const std::string name = entry->d_name;
    if (!may_be_link || name.starts_with('.') || !matters(name)) continue;
    const std::string path = join(way.destination, name);
    const auto target = link_at(path);
    if (!target || target->starts_with(std::string(data_link) + "/")) continue;
    if (++links > most_links_of_keys) break;
    const Way below = way_to(path, Ends::at_a_file);
    for (const Place& place : below.places) {
      if (std::ranges::find(way.places, place) == way.places.end()) way.places.push_back(place);
    }
  }
  ::closedir(directory);
}

}  // namespace

Way way_to(const plan::Source& source) {
  const Ends ends = source.has_files() ? Ends::at_a_directory : Ends::at_a_file;
  Way way = way_to(source.path, ends);
  if (!source.has_files() || !way.present) return way;
  // Kubelet 1.20 sets the ownership of the new files after the switch; others write in place.
  const std::string data = join(way.destination, std::string(data_link));
  if (const auto target = link_at(data)) {
    const Way below = way_to(data, ends);
    way.places.insert(way.places.end(), below.places.begin(), below.places.end());
  }
  add_links_of_keys(way);
  return way;
}

/// Which entries of a directory source the reader reads, and the link that decides which.
bool matters(std::string_view name) { return !name.starts_with('.') || name == data_link; }

}  // namespace arizuko::host
