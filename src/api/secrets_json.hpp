// What `arizuko-init secrets` reads: which values are in use, by name, and where a rotation stands.
#pragma once

#include <string>

#include "arizuko/host/supervisor/instance.hpp"

namespace arizuko::api {

/// {"generation","since","rotation":{...}|null,"waiting":{"generation","cause","until"}|null,
///  "held":[{"key","how","blocks"}],"outcomes":{"applied":2,...},
///  "keys":[{"name","source","since","guarded","fingerprint","taken_by":[...]}],
///  "services":[{"name","generation","since","old_values"}]}
///
/// Times are RFC 3339. Of a value nothing but the first 8 digits of a guarded one's salted fingerprint:
/// for the control socket only.
std::string secrets_json(const host::Instance& instance);

}  // namespace arizuko::api
