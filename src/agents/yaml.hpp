// The YAML that kubeconfig files are written in, as JSON: mappings, lists and plain values. libyaml does the
// reading and is seen by yaml.cpp alone; anchors and tags are refused.
#pragma once

#include <expected>
#include <string>

#include "json.hpp"

namespace arizuko::agents {

/// The error says where.
std::expected<json::value, std::string> parse_yaml(const std::string& text);

}  // namespace arizuko::agents
