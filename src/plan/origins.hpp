// Problems in values that came from elsewhere: each is told where it was written, once, and says who has it.
#pragma once

#include "document.hpp"

namespace arizuko::plan {

/// The key of a problem becomes that of the template, service or task in which the value was written; those
/// that inherit it are named behind. What has replaced a value of another kind says which.
void tell_origins(const Document& document, Problems& problems);

}  // namespace arizuko::plan
