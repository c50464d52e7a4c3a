#include "arizuko/host/supervisor/termination_message.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <boost/json.hpp>

#include "host/host_test_tools.hpp"

using namespace arizuko::host;
using namespace arizuko::host::testing;

TEST_CASE("termination message: a short report is complete") {
  CHECK(to_json({75, "ended", "gated has failed", {"gated: failed: exited with code 1"}, {"a", "b"}}) ==
        R"({"exit_code":75,"state":"ended","reason":"gated has failed",)"
        R"("services":["gated: failed: exited with code 1"],"last_lines":["a","b"]})");
  CHECK(to_json({std::nullopt, "running", "", {}, {}}) == R"({"state":"running","reason":""})");
}

TEST_CASE("termination message: too many lines leave the latest ones and the reason") {
  TerminationReport report{75, "ended", "the reason", {"gated: failed"}, {}};
  for (int i = 0; i < 500; ++i)
    report.last_lines.push_back("line " + std::to_string(i) + std::string(50, '.'));
  const std::string text = to_json(report);
  CHECK(text.size() <= max_termination_bytes);
  CHECK(text.size() > max_termination_bytes - 100);
  const auto value = boost::json::parse(text);
  CHECK(value.at("reason").as_string() == "the reason");
  CHECK(value.at("services").as_array().size() == 1);
  CHECK(value.at("last_lines").as_array().back().as_string().starts_with("line 499"));
}

TEST_CASE("termination message: whatever it is made of, it is valid JSON that fits") {
  const std::string hostile[] = {std::string(9000, '\x01'), std::string(9000, '"'), std::string(9000, '\xff'),
                                 std::string(3000, 'x') + "\xe2\x82"};
  for (const std::string& text : hostile) {
    TerminationReport report{1, text, text, std::vector(300, text), std::vector(300, text)};
    const std::string json = to_json(report);
    CHECK(json.size() <= max_termination_bytes);
    boost::system::error_code error;
    boost::json::parse(json, error);  // refuses invalid UTF-8
    CHECK_FALSE(error);
  }
  TerminationReport euros{1, "ended", {}, {}, {}};
  for (int i = 0; i < 5000; ++i) euros.reason += "\u20ac";
  boost::system::error_code error;
  boost::json::parse(to_json(euros), error);
  CHECK_FALSE(error);
}

TEST_CASE("termination message: services that do not fit are counted") {
  const TerminationReport report{1, "ended", "r", std::vector(300, std::string(100, 's')), {}};
  const auto value = boost::json::parse(to_json(report));
  const auto& services = value.at("services").as_array();
  CHECK(services.back().as_string() == "and " + std::to_string(300 - services.size() + 1) + " more");
}

TEST_CASE("termination message: the file is rewritten in place, only when it changed, and never made") {
  Scratch scratch;
  const std::string path = scratch / "log";
  TerminationMessage message(path);
  CHECK_FALSE(message.write({0, "ended", "long reason", {}, {}}));
  CHECK_FALSE(std::filesystem::exists(path));

  write_text(path, std::string(100, 'x'));
  struct stat before{};
  ::stat(path.c_str(), &before);
  CHECK(message.write({0, "ended", "long reason", {}, {}}));
  CHECK(read_text(path) == to_json({0, "ended", "long reason", {}, {}}));
  CHECK(message.write({0, "ended", "r", {}, {}}));
  CHECK(read_text(path) == to_json({0, "ended", "r", {}, {}}));
  struct stat after{};
  ::stat(path.c_str(), &after);
  CHECK(before.st_ino == after.st_ino);

  write_text(path, "touched by somebody");
  CHECK(message.write({0, "ended", "r", {}, {}}));  // nothing changed: nothing is written
  CHECK(read_text(path) == "touched by somebody");
}

TEST_CASE("termination message: what is no regular file is left alone") {
  Scratch scratch;
  ::mkfifo((scratch / "fifo").c_str(), 0600);
  CHECK_FALSE(TerminationMessage(scratch / "fifo").write({}));
  CHECK_FALSE(TerminationMessage(scratch.path()).write({}));
  CHECK_FALSE(TerminationMessage("/dev/null").write({}));
}
