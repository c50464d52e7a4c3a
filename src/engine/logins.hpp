// Files in which a service keeps a login (plan: `cached`). While they are there it does not try a new
// password, so a rotation would prove nothing: they are set aside when the value changes, put back on the way
// back, and forgotten when the new value has proved good.
//
// A machine of its own: it is told with which values runs start, and answers what to do with the files.
//
//   in place -> value changed: set aside -> the first value again: put back -> in place
//                                  |  ^
//                                  |  +-- a third value: drop what the second one left
//                                  +----- it serves: forget, what was set aside is gone
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "arizuko/engine/action.hpp"

namespace arizuko::engine {

class Logins {
 public:
  /// Before a run: with the values of the run before, and with those that it gets.
  std::vector<LoginFiles> before_run(ServiceId id, const std::vector<plan::CachedLogin>& cached,
                                     const env::Snapshot& last, const env::Snapshot& now);
  /// It serves with what it has.
  std::vector<LoginFiles> forget(ServiceId id);

 private:
  using Aside = std::map<std::string, std::optional<std::string>>;  // key -> the value they were made with
  std::map<ServiceId, Aside> aside_;
};

}  // namespace arizuko::engine
