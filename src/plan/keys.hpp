// The form of a plan before its values are read: known keys only, tables where tables belong.
#pragma once

#include "document.hpp"

namespace arizuko::plan {

/// Says which keys are unknown (with the one that was probably meant) and which should be tables.
void check_keys(const Node& root, Problems& problems);

}  // namespace arizuko::plan
