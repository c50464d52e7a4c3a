// Text of strangers made fit for a terminal, under the name that the commands call it by.
#pragma once

#include "arizuko/base/shown.hpp"

namespace arizuko::host {

using base::append_shown;
using base::Paint;
using base::shown;
using base::terminal_text;

}  // namespace arizuko::host
