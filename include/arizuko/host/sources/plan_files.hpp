// The plan's own files, read: the layer plan/ takes their text.
//
// A file is regular and at most 1 MiB long, there are at most 64 of them; nothing waits for anything
// (arizuko/posix/files.hpp). Links are followed: a ConfigMap's keys are links.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "arizuko/plan/load.hpp"

namespace arizuko::host {

/// The plan file and, in name order, every *.toml of `<path>.d/` (for a/arizuko.toml: a/arizuko.toml.d/).
/// Those that begin with a dot are left out: editors and the kubelet put theirs there. A missing or
/// unreadable file is a problem; a missing directory is not.
std::expected<std::vector<plan::File>, plan::Problems> read_plan_files(const std::string& path);

}  // namespace arizuko::host
