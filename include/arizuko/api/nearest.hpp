// The word somebody meant: for errors that name what would have been right.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace arizuko::api {

/// The one of `words` that is nearest to `wanted` (edit distance, at most a third of its length and
/// at least one); empty when none is near.
std::string nearest(std::string_view wanted, const std::vector<std::string>& words);

/// `there is no service "gatd" here; did you mean "gated"?`, or the list of names when none is near.
std::string no_such_service(std::string_view wanted, const std::vector<std::string>& names);

}  // namespace arizuko::api
