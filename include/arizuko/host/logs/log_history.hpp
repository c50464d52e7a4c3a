// The last lines of each service, kept for the verdict, for `why` and for `logs`.
//
// Bounded by bytes, not lines: at most `max_bytes` a service (24 of them a line are bookkeeping), the
// oldest go first. Costs nothing until a line arrives, and then two copies: no allocation a line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/host/logs/log_output.hpp"

namespace arizuko::host {

struct KeptLine {
  std::uint64_t seq = 0;  // over all services, from 1
  std::int64_t unix_nanoseconds = 0;
  std::string service;
  Stream stream = Stream::err;
  std::string text;
};

class LogHistory {
 public:
  static constexpr std::size_t max_bytes = 64 * 1024;      // a service
  static constexpr std::size_t max_line_bytes = 4 * 1024;  // a kept line; longer ones are cut

  /// A service's number here, for the path that every line takes. Valid as long as this object.
  enum class Handle : std::uint32_t {};
  Handle handle(std::string_view service);

  void add(Handle service, Stream stream, std::string_view text, std::int64_t unix_nanoseconds);
  void add(std::string_view service, Stream stream, std::string_view text, std::int64_t unix_nanoseconds);
  /// The last `lines` lines of `services` (all, when empty), oldest first.
  std::vector<KeptLine> tail(const std::vector<std::string>& services, std::size_t lines) const;
  /// Lines with seq > after, the first `most` of them: for `logs --follow`.
  std::vector<KeptLine> since(const std::vector<std::string>& services, std::uint64_t after,
                              std::size_t most = std::numeric_limits<std::size_t>::max()) const;
  /// Where tail() begins, for who reads it in pieces: the number before its first line, and how many there
  /// are.
  struct Begin {
    std::uint64_t after = 0;
    std::size_t lines = 0;
  };
  Begin begin_of_tail(const std::vector<std::string>& services, std::size_t lines) const;
  std::uint64_t last_seq() const { return last_seq_; }

 private:
  std::vector<Handle>::const_iterator place_of(std::string_view service) const;
  std::optional<Handle> find(std::string_view service) const;
  struct Ring;
  struct Found;
  /// Where the last `last` lines with seq > after are, oldest first.
  std::vector<Found> find_lines(const std::vector<std::string>& services, std::uint64_t after,
                                std::size_t last) const;
  KeptLine copy_of(const Found& line) const;

  struct Entry {
    std::string service;
    std::shared_ptr<Ring> ring;
  };
  std::vector<Entry> rings_;
  std::vector<Handle> by_name_;  // in the order of names
  std::uint64_t last_seq_ = 0;
};

}  // namespace arizuko::host
