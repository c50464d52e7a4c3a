// What one look at a condition says.
#pragma once

#include <string>

namespace arizuko::host {

enum class Verdict { yes, no, cannot_tell };  // the last one is not "no"

struct LookResult {
  Verdict verdict = Verdict::no;
  std::string detail;  // a short phrase for people, without any value
};

}  // namespace arizuko::host
