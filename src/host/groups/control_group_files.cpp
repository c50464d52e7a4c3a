#include "control_group_files.hpp"

#include <array>
#include <charconv>

namespace arizuko::host {
namespace {

/// Takes the next line off the front of `text`, without its newline.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return line;
}

std::string_view take_word(std::string_view& line) {
  const std::size_t end = line.find(' ');
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end == line.npos ? line.size() : end + 1);
  return word;
}

bool is_octal(char c) { return c >= '0' && c <= '7'; }

/// mountinfo writes blanks, tabs, newlines and backslashes as \040 and the like.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) &&
                        is_octal(text[i + 2]) && is_octal(text[i + 3]);
    if (!escape) {
      out += text[i];
      continue;
    }
    out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
    i += 3;
  }
  return out;
}

/// `path` as seen from `root`: "" for the same, "/x" below it; nullopt when it is not below.
std::optional<std::string_view> seen_from(std::string_view path, std::string_view root) {
  if (root == "/") return path == "/" ? std::string_view() : path;
  if (!path.starts_with(root)) return std::nullopt;
  path.remove_prefix(root.size());
  if (!path.empty() && path.front() != '/') return std::nullopt;
  return path;
}

}  // namespace

std::optional<std::string> unified_group(std::string_view proc_cgroup) {
  while (!proc_cgroup.empty()) {
    std::string_view line = take_line(proc_cgroup);
    if (!line.starts_with("0::/")) continue;
    line.remove_prefix(3);
    return std::string(line);
  }
  return std::nullopt;
}

namespace {

/// "cpu,memory" holds "memory"
bool lists(std::string_view text, std::string_view word) {
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    if (text.substr(0, comma) == word) return true;
    text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
  }
  return false;
}

enum class Version { one_memory, two };

/// Of a mountinfo line: is it such a mount? TYPE SOURCE SUPER-OPTIONS follow the dash (proc(5)).
bool is_mount_of(std::string_view after_dash, Version version) {
  const std::string_view type = take_word(after_dash);
  take_word(after_dash);
  switch (version) {
    case Version::two: return type == "cgroup2";
    case Version::one_memory: return type == "cgroup" && lists(after_dash, "memory");
  }
  return false;
}

std::optional<std::string> directory_of(std::string_view mountinfo, std::string_view group, Version version) {
  // ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [OPTIONAL]... - TYPE SOURCE SUPER-OPTIONS
  while (!mountinfo.empty()) {
    std::string_view line = take_line(mountinfo);
    const std::size_t dash = line.find(" - ");
    if (dash == line.npos || !is_mount_of(line.substr(dash + 3), version)) continue;
    std::array<std::string_view, 5> fields;
    for (std::string_view& field : fields) field = take_word(line);
    const std::string root = unescaped(fields[3]);
    const std::string point = unescaped(fields[4]);
    const auto below = seen_from(group, root);
    // A namespace that does not hold our group shows it, or the mount's root, by way of "..".
    if (!below || !root.starts_with("/") || root.contains("/..") || group.contains("/..")) continue;
    return point + std::string(*below);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> group_directory(std::string_view mountinfo, std::string_view group) {
  return directory_of(mountinfo, group, Version::two);
}

std::optional<std::string> memory_group_v1(std::string_view proc_cgroup) {
  while (!proc_cgroup.empty()) {
    std::string_view line = take_line(proc_cgroup);
    const std::size_t first = line.find(':');
    const std::size_t second = first == line.npos ? first : line.find(':', first + 1);
    if (second == line.npos || !lists(line.substr(first + 1, second - first - 1), "memory")) continue;
    return std::string(line.substr(second + 1));
  }
  return std::nullopt;
}

std::optional<std::string> memory_directory_v1(std::string_view mountinfo, std::string_view group) {
  return directory_of(mountinfo, group, Version::one_memory);
}

std::optional<std::uint64_t> keyed_number(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = take_line(text);
    if (take_word(line) == key) return single_number(line);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> single_number(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

bool names_controller(std::string_view text, std::string_view controller) {
  std::string_view line = take_line(text);
  while (!line.empty()) {
    if (take_word(line) == controller) return true;
  }
  return false;
}

std::optional<std::string> part_below(std::string_view group, std::string_view ours) {
  const auto below = seen_from(group, ours);
  if (!below || below->size() < 2) return std::nullopt;
  const std::string_view rest = below->substr(1);
  return std::string(rest.substr(0, rest.find('/')));
}

}  // namespace arizuko::host
