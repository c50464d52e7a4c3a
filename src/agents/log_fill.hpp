// What attach did not bring, found in the log.
//
// A connection to the agent's streams is made once its container runs, so what it wrote before that is not in
// them; nor is what it wrote while a cut connection was made anew, nor anything of an agent that ended before
// we came. The log has all of it, in order, but with both streams in one. So the lines that attach brought
// are taken away from the log's, and what is left over goes to standard error: there the caller looks for the
// reason of a failure, while it throws standard output away.
//
// Pure. Lines are remembered as hashes, at most `most_lines`.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "attach_channels.hpp"
#include "watch.hpp"

namespace arizuko::agents {

class LogFill {
 public:
  static constexpr std::size_t most_lines = 4096;
  static constexpr std::size_t most_line_bytes = 64 << 10;

  void seen(Channel channel, std::string_view bytes);
  /// No more will be seen: what came without a newline is a line too.
  void end_of_output();

  /// Did attach not bring this line of the log? Asked for each line once, in the log's order.
  bool is_missing(std::string_view line);

 private:
  void remember(std::string_view line);

  std::array<LineBuffer, 2> parts_{LineBuffer{most_line_bytes}, LineBuffer{most_line_bytes}};
  std::unordered_map<std::uint64_t, std::uint32_t> counts_;
  std::size_t lines_ = 0;
  bool matched_ = false;
};

}  // namespace arizuko::agents
