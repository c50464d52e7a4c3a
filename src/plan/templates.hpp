// `[template.NAME]` and `like`: a service, a task or a template takes over what another one says.
#pragma once

#include "document.hpp"

namespace arizuko::plan {

inline constexpr std::size_t most_templates = 256;
inline constexpr std::size_t longest_chain = 8;  // of one that is like one that is like one
inline constexpr std::size_t most_inherited_values =
    131'072;  // of all services, tasks and templates together

/// Lays each service, task and template over the one that it is like, and says of each value in which of them
/// it was written. False when a `like` cannot be followed: then the tree is not worth looking at.
bool resolve_templates(Document& document, Problems& problems);

}  // namespace arizuko::plan
