// What the stand-ins write to stderr: the three log shapes of contract.md section 8.
//
// Slog      one JSON object a line, `level` in capitals: every Go daemon but ttsd
// LowerCase the same with `level` in small letters: whapd and twitd
// Logfmt    key=value pairs: ttsd
//
// Writes block, as slog's do: a supervisor that stops reading stalls the daemon, and a rehearsal
// must show that. Every line carries `rehearsal`, so that nobody takes it for arizuko's own.
#pragma once

#include <boost/json/value.hpp>

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace rehearsal {

enum class LogShape { Slog, LowerCase, Logfmt };
enum class Level { Info, Warn, Error };

// One attribute of a line: a string, a whole number or a bool.
struct Attr {
  template <class T>
  Attr(std::string_view name, const T& content) : key(name) {
    if constexpr (std::same_as<T, bool>) {
      value = content;
    } else if constexpr (std::integral<T>) {
      value = static_cast<std::int64_t>(content);
    } else {
      const std::string_view text = content;
      value = boost::json::string(text.data(), text.size());
    }
  }
  std::string_view key;
  boost::json::value value;
};

class Log {
 public:
  using Attrs = std::initializer_list<Attr>;
  explicit Log(LogShape shape) : shape_(shape) {}

  void info(std::string_view msg, Attrs attrs = {}) const { write(Level::Info, msg, attrs); }
  void warn(std::string_view msg, Attrs attrs = {}) const { write(Level::Warn, msg, attrs); }
  void error(std::string_view msg, Attrs attrs = {}) const { write(Level::Error, msg, attrs); }

  // The Go log package's shape, "2026/05/19 04:58:29 ERROR msg key=X": what a daemon prints
  // before it has set up slog (MustEnv), and what the arizuko command prints always.
  void text(Level level, std::string_view line) const;

 private:
  void write(Level level, std::string_view msg, Attrs attrs) const;
  LogShape shape_;
};

// Writes all of `line` to `descriptor`. EPIPE on 1 or 2 kills by SIGPIPE, as in Go's os package.
void write_all(int descriptor, std::string_view line);

}  // namespace rehearsal
