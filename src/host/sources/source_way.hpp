// Which directories decide what a source's path leads to: what the source watcher watches.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/plan/plan.hpp"

namespace arizuko::host {

/// The link that the kubelet switches (kubernetes.md, "A Secret or ConfigMap volume").
inline constexpr std::string_view data_link = "..data";

/// Something to watch: one name in a directory, or, without a name, all that the reader would read.
struct Place {
  std::string directory;
  std::string name;
  auto operator<=>(const Place&) const = default;
};

struct Way {
  std::vector<Place> places;
  bool present = false;     // the source itself is there
  std::string destination;  // free of links, when it is present
};

/// Goes the path of the source as the kernel would; of a directory also what `..data` points to.
Way way_to(const plan::Source& source);

/// Which entries of a directory source the reader reads, and the link that decides which.
bool matters(std::string_view name);

/// The target of a symbolic link; nothing when it is none.
std::optional<std::string> link_at(const std::string& path);

std::string join(const std::string& directory, const std::string& name);

}  // namespace arizuko::host
