// The pod as a whole: opened, ready, stopping, the end.
#pragma once

#include <string>

#include "rules.hpp"

namespace arizuko::engine {

class PodRules : Rules {
 public:
  using Rules::Rules;

  /// After each event.
  void refresh_pod();
  void end_pod(int code, const std::string& verdict, const std::string& culprit);
  void stop_everything(const Cause& cause);
  /// A second request: no more order, and little time.
  void hurry(const std::string& cause);
  void kill_everything(const std::string& cause);
  void finish();
  /// A fault of ours: the host ends what lives.
  void end_by_fault(const std::string& sentence);
  /// At boot: an essential service that lacks a needed value makes the whole run pointless.
  void refuse_boot_without_values();

 private:
  void consider_end();
};

}  // namespace arizuko::engine
