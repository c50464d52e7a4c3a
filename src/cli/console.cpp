// The program's own console: what commands write goes through the last gate, and never waits for a reader for
// good.
#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <unistd.h>

#include "arizuko/base/shown.hpp"
#include "arizuko/cli/command_line.hpp"

namespace arizuko::cli {

namespace {

/// Writes all, or gives up when nobody reads: a command's output is not worth hanging for.
void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

int run(int argc, char** argv) {
  Console console;
  console.is_terminal = ::isatty(STDOUT_FILENO) == 1;
  const char* no_colour = std::getenv("NO_COLOR");  // no-color.org
  console.colour = console.is_terminal && (no_colour == nullptr || *no_colour == '\0');
  // The last gate, for a pipe too: `kubectl exec` without a terminal ends on one.
  const base::Paint paint = console.colour ? base::Paint::colours : base::Paint::none;
  console.out = [paint](std::string_view text) {
    write_all(STDOUT_FILENO, base::terminal_text(text, paint));
  };
  console.err = [](std::string_view text) {
    write_all(STDERR_FILENO, base::terminal_text(text, base::Paint::none));
  };
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  return run(words, console, ::getpid() == 1);
}

}  // namespace arizuko::cli
