// Whatever a daemon writes: lines do not depend on how the bytes arrive, the console is never driven
// by them, and each line of the json form is one JSON object in UTF-8 (Boost.JSON is the judge).
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "arizuko/host/logs/log_output.hpp"
#include "host/logs/line_splitter.hpp"

using namespace arizuko;
using namespace arizuko::host;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

struct Kept {
  std::string text;
  bool cut = false;
  bool operator==(const Kept&) const = default;
};

std::vector<Kept> split(std::string_view text, std::size_t step, std::uint64_t& skipped) {
  LineSplitter splitter;
  std::vector<Kept> lines;
  const auto take = [&](const Line& line) { lines.push_back({std::string(line.text), line.cut}); };
  for (std::size_t at = 0; at < text.size(); at += step) splitter.feed(text.substr(at, step), take);
  splitter.finish(take);
  skipped = splitter.skipped_bytes();
  return lines;
}

boost::json::value parse(std::string_view text, std::size_t depth, boost::json::error_code& error) {
  boost::json::parse_options options;
  options.max_depth = depth;
  return boost::json::parse({text.data(), text.size()}, error, {}, options);
}

std::string formatted(plan::LogFormat format, bool colour, const Kept& line) {
  LogFormatter formatter(format, colour, 8);
  std::string out;
  formatter.append(out, {.service = "s", .text = line.text, .cut = line.cut}, 1'795'348'801'123'456'789);
  require(out.ends_with('\n') && std::ranges::count(out, '\n') == 1);
  out.pop_back();
  return out;
}

void check_json(const Kept& line) {
  const std::string out = formatted(plan::LogFormat::json, false, line);
  boost::json::error_code error;
  const auto value = parse(out, 80, error);
  if (error == boost::json::error::exponent_overflow) return;  // JSON has no such limit
  require(!error && value.is_object());
  const auto& object = value.as_object();

  require(object.contains("service") && object.at("service") == "s");
  const auto theirs = parse(line.text, 60, error);
  if (line.cut || !line.text.starts_with('{') || error) return;
  const bool renamed = theirs.as_object().contains("service");
  require(!renamed || object.contains("daemon_service") || object.contains("msg"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  // A long line costs the fuzzer two bytes, not 64 KiB; few inputs have one, or nothing else is tried.
  const std::size_t at = text.find('\x01');
  if (data[0] >= 0xF0 && at != std::string::npos && at + 1 < text.size()) {
    text.insert(at, LineSplitter::max_line_bytes - 8 + static_cast<unsigned char>(text[at + 1]) % 16, 'x');
  }
  const std::size_t step = std::size_t{1} + data[0] % 16 * data[0];
  std::uint64_t skipped_whole = 0;
  std::uint64_t skipped = 0;
  const auto lines = split(text, text.size() + 1, skipped_whole);
  require(lines == split(text, step, skipped));
  require(skipped == skipped_whole);

  for (const Kept& line : lines) {
    require(line.text.size() <= LineSplitter::max_line_bytes);
    require(line.text.find('\n') == std::string::npos);
    const std::string console = formatted(plan::LogFormat::console, false, line);
    require(std::ranges::none_of(console, [](char c) {
      const auto b = static_cast<unsigned char>(c);
      return (b < 0x20 && b != '\t') || b == 0x7F;
    }));
    for (std::size_t c2 = console.find('\xC2'); c2 != std::string::npos; c2 = console.find('\xC2', c2 + 1)) {
      require(static_cast<unsigned char>(console[c2 + 1]) >= 0xA0);
    }
    formatted(plan::LogFormat::console, true, line);
    const std::string journal = formatted(plan::LogFormat::journal, false, line);
    require(journal.starts_with('<') && journal[1] >= '3' && journal[1] <= '7' &&
            journal.substr(2).starts_with(">s: "));
    require(journal.substr(6) == console.substr(console.find(" | ") + 3));
    check_json(line);
  }
  return 0;
}
