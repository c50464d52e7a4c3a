#include "directory_source.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <expected>
#include <string_view>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "arizuko/env/name.hpp"

namespace arizuko::host {
namespace {

using Weight = SourceProblem::Weight;

constexpr const char* generation_link = "..data";
constexpr std::size_t max_names = 4 * max_source_keys;  // that are looked at, whatever they are

/// What `..data` names; empty where there is none, or where it is no link.
std::string generation_of(const posix::Descriptor& directory) {
  std::string target(4096, '\0');
  const ssize_t size = ::readlinkat(directory.get(), generation_link, target.data(), target.size());
  target.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return target;
}

/// Sorted, without what begins with a dot: the kubelet's own names and hidden files.
std::expected<std::vector<std::string>, SourceTrouble> names_in(const posix::Descriptor& directory) {
  auto own = posix::open_directory(directory.get(), ".", posix::Links::followed);
  DIR* stream = own ? ::fdopendir(own->get()) : nullptr;
  if (stream == nullptr) {
    const Motion motion = errno == EACCES || errno == ENOENT ? Motion::moving : Motion::settled;
    return std::unexpected(
        SourceTrouble{.motion = motion, .what = fmt::format("cannot be listed: {}", std::strerror(errno))});
  }
  own->release();  // closedir closes it
  std::vector<std::string> names;
  std::size_t seen = 0;
  while (const dirent* entry = ::readdir(stream)) {
    if (++seen > max_names) {
      ::closedir(stream);
      return std::unexpected(SourceTrouble{.what = fmt::format("holds more than {} names", max_names)});
    }
    if (entry->d_name[0] == '.') continue;
    if (names.size() > max_source_keys) break;  // Collector::add says so
    names.emplace_back(entry->d_name);
  }
  ::closedir(stream);
  std::ranges::sort(names);
  return names;
}

/// A name out of a directory may hold anything; what is shown of it is printable.
std::string printable(std::string_view name) {
  std::string text(name.substr(0, 128));
  std::ranges::replace_if(text, [](char c) { return c < 0x21 || c > 0x7e; }, '?');
  return text;
}

/// What an editor leaves at the edges of a file is no part of a secret: `tok\r\n` would be a wrong token.
void trim_edges(std::string& value, std::string_view name, Collector& collector) {
  std::string_view rest = value;
  std::string dropped;
  if (rest.starts_with("\xEF\xBB\xBF")) {
    rest.remove_prefix(3);
    dropped = "a byte order mark before the value";
  }
  if (rest.ends_with('\n')) rest.remove_suffix(1);  // `echo secret > file`
  if (rest.ends_with('\r')) {
    rest.remove_suffix(1);
    dropped += fmt::format("{}a carriage return after {}", dropped.empty() ? "" : " and ",
                           dropped.empty() ? "the value" : "it");
  }
  if (!dropped.empty()) collector.report(Weight::notice, name, fmt::format("dropped: {}", dropped));
  if (rest.size() < value.size()) value = std::string(rest);
}

std::optional<SourceTrouble> read_key(const posix::Descriptor& directory, const std::string& name,
                                      Collector& collector, bool& full) {
  const auto file = posix::open_to_read(directory.get(), name, posix::Links::trusted);
  if (!file) {
    if (file.error().error == EISDIR) return std::nullopt;
    return cannot_open(directory.get(), name.c_str(), file.error(),
                       "set fsGroup, or a defaultMode that it may read");
  }
  auto read = read_whole(*file, env::max_value_bytes + 1, too_long());
  if (!read) return std::move(read.error());

  std::string& value = read->text;
  trim_edges(value, name, collector);
  if (value.find('\0') != std::string::npos) {
    collector.spoil(name, "the value holds a NUL byte");
  } else if (!env::is_valid_value(value)) {
    collector.spoil(name, too_long());
  } else {
    full = !collector.add(name, std::move(value));
  }
  return std::nullopt;
}

std::optional<SourceTrouble> read_keys(const posix::Descriptor& directory, Collector& collector,
                                       Attempt attempt) {
  const auto names = names_in(directory);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (!env::is_valid_name(name)) {
      collector.report(Weight::notice, printable(name), "skipped: not a variable's name");
      continue;
    }
    bool full = false;
    if (auto trouble = read_key(directory, name, collector, full)) {
      if (trouble->motion == Motion::settled || attempt == Attempt::last) {
        collector.spoil(name, std::move(trouble->what));
        continue;
      }
      trouble->key = name;
      trouble->absent = false;
      return trouble;
    }
    if (full) break;
  }
  return std::nullopt;
}

}  // namespace

std::optional<SourceTrouble> read_directory(const std::string& path, Collector& collector, Attempt attempt) {
  const auto directory = posix::open_directory(AT_FDCWD, path, posix::Links::trusted);
  if (!directory) {
    if (directory.error().error == ENOTDIR) return SourceTrouble{.what = "is not a directory"};
    return cannot_open(AT_FDCWD, path.c_str(), directory.error(), "open it to this uid");
  }
  const std::string generation = generation_of(*directory);
  if (generation.empty()) return read_keys(*directory, collector, attempt);

  // By the name that the link held, not through the link: what is read is this generation or nothing.
  const auto data = posix::open_directory(directory->get(), generation, posix::Links::trusted);
  if (!data) {
    SourceTrouble trouble = cannot_open(directory->get(), generation.c_str(), data.error(), "set fsGroup");
    trouble.absent = false;
    trouble.what = fmt::format("..data: {}", trouble.what);
    return trouble;
  }
  auto trouble = read_keys(*data, collector, attempt);
  if (generation_of(*directory) != generation) {
    return SourceTrouble{.motion = Motion::moving, .what = "..data moved at each attempt to read it"};
  }
  return trouble;
}

}  // namespace arizuko::host
