// The exit codes: what docs/reference/cli.md promises, what --help says, and what the commands declare.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "cli/command.hpp"

using namespace arizuko;

namespace {

/// The rows of the table below "| exit | meaning |".
std::map<int, std::string> documented() {
  std::ifstream page(ARIZUKO_SOURCE_DIR "/docs/reference/cli.md");
  std::map<int, std::string> rows;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line == "| exit | meaning |") {
      inside = true;
    } else if (inside && line.starts_with("| ")) {
      const std::size_t end = line.find(" | ");
      REQUIRE(end != std::string::npos);
      rows.emplace(std::stoi(line.substr(2, end - 2)), line.substr(end + 3));
    } else if (inside && line.empty()) {
      break;
    }
  }
  return rows;
}

}  // namespace

TEST_CASE("exit codes: the page on the command line has those of run, with the meaning that --help gives") {
  std::map<int, std::string> rows = documented();
  for (const std::unique_ptr<cli::Command>& command : cli::all_commands()) {
    const cli::About about = command->about();
    if (about.name != "run") continue;
    for (const cli::ExitCode& each : about.exit_codes) {
      CAPTURE(each.code);
      REQUIRE(rows.contains(each.code));
      CHECK(rows[each.code].starts_with(each.meaning));
      rows.erase(each.code);
    }
  }
  CHECK(rows.empty());
}

TEST_CASE("exit codes: every command has 0 and 64, in rising order, and no number twice") {
  for (const std::unique_ptr<cli::Command>& command : cli::all_commands()) {
    const std::vector<cli::ExitCode> codes = command->about().exit_codes;
    CAPTURE(command->about().name);
    REQUIRE_FALSE(codes.empty());
    CHECK(codes.front().code == exit_code::yes);
    CHECK(std::ranges::find(codes, exit_code::usage, &cli::ExitCode::code) != codes.end());
    CHECK(std::ranges::is_sorted(codes, {}, &cli::ExitCode::code));
    CHECK(std::ranges::adjacent_find(codes, {}, &cli::ExitCode::code) == codes.end());
  }
}

TEST_CASE("exit codes: the sentence of --help is wrapped, and a code without a meaning is only named") {
  CHECK(cli::codes_text({{0, ""}, {64, "usage"}}) == "Exit codes: 0, 64 usage.\n");
  CHECK(cli::codes_text({{0, "a meaning of some length, to be wrapped soon"},
                         {1, "another one that goes on the line"},
                         {64, "and one that does not"}}) ==
        "Exit codes: 0 a meaning of some length, to be wrapped soon, 1 another one that goes on the line,\n"
        "  64 and one that does not.\n");
}
