// --plan, --set and --rehearse: the options of every command that reads the plan.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/options.hpp"

namespace arizuko::cli {

class PlanWords {
 public:
  /// These options, and `more` behind them.
  std::vector<Option> with(std::vector<Option> more);
  /// What was typed. The error is a sentence about --set.
  std::expected<PlanOptions, std::string> read() const;

 private:
  std::string plan_;
  std::vector<std::string> set_;
  bool rehearse_ = false;
};

}  // namespace arizuko::cli
