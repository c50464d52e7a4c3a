// The one who knows the secret values: what leaves arizuko-init is washed here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arizuko/env/redaction.hpp"
#include "locked_memory.hpp"

namespace arizuko::host {

class Washer {
 public:
  /// Learns the newest values before anything is started with them, and keeps them out of swap. What is
  /// secret depends on the plan, too: `coming` is one that was read and waits to be taken, or `running`
  /// itself. Returns what people should know of it, a sentence each.
  std::vector<std::string> learn(const plan::Plan& running, const plan::Plan& coming,
                                 const env::Snapshot& newest);

  env::Washed wash(env::Foreign text) { return redactor_.wash(std::move(text)); }
  /// In place: what is about to be shown, of whatever it was made.
  void wash(std::string& text) { redactor_.clean(text); }
  /// The same for the lines of children, which are many: `text` itself, or a view that is good until the next
  /// call.
  std::string_view washed_line(std::string_view text, env::Ending ending) {
    return redactor_.redact(text, line_, ending);
  }

  /// Secret values replaced so far.
  std::uint64_t hits() const { return redactor_.hits(); }

 private:
  LockedMemory memory_;
  env::Redactor redactor_{&memory_};
  std::vector<std::string> too_short_;  // as last told of
  std::string line_;                    // the line at hand, where it held a secret
};

}  // namespace arizuko::host
