// Why a run ends: design.md section 5. Those that more than one layer knows.
#pragma once

namespace arizuko::engine {

inline constexpr int exit_fault = 70;  // of arizuko-init itself: the host ends what lives

}  // namespace arizuko::engine
