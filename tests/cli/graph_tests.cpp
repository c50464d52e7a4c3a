// `graph` as a user types it, and the pictures of the stock plans in the pages.
//
// Between "<!-- made by arizuko-init graph ... -->" and "<!-- end of what graph makes -->" stands what the
// command says of a plan of which no value is known. Rewritten by ARIZUKO_REWRITE_SNAPSHOTS=1.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include "captured.hpp"
#include "temporary_directory.hpp"

using namespace arizuko;
using namespace arizuko::cli;

namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

const std::string root = ARIZUKO_SOURCE_DIR;

std::string text_of(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

/// What the command says where there are no values: not those of this machine either.
std::string without_values(std::string_view plan, std::string_view format) {
  const Captured drawn =
      type({"graph", "--plan", root + '/' + std::string(plan), "--format", std::string(format), "--set",
            "env.sources=[]", "--set", "pod.data_dir=/nonexistent/arizuko_demo"});
  CHECK_MESSAGE(drawn.code == 0, drawn.err);
  CHECK(has(drawn.err, "no value is known here"));
  return drawn.out;
}

std::string in_page(std::string_view plan, std::string_view format) {
  const std::string fence = format == "mermaid" ? "```mermaid\n" : "```text\n";
  return fence + without_values(plan, format) + "```\n";
}

/// Replaces what stands between the marks; counts them.
std::string redrawn(const std::string& page, int& pictures) {
  constexpr std::string_view begin = "<!-- made by arizuko-init graph --plan ";
  constexpr std::string_view middle = " --format ";
  constexpr std::string_view close = " -->\n";
  constexpr std::string_view end = "<!-- end of what graph makes -->\n";
  std::string out;
  std::size_t from = 0;
  for (std::size_t at = 0; (at = page.find(begin, from)) != std::string::npos; ++pictures) {
    const std::size_t plan = at + begin.size();
    const std::size_t separator = page.find(middle, plan);
    const std::size_t format = separator + middle.size();
    const std::size_t closed = page.find(close, plan);
    const std::size_t ended = page.find(end, plan);
    REQUIRE(separator < closed);
    REQUIRE(closed < ended);
    REQUIRE(ended != std::string::npos);
    out += page.substr(from, closed + close.size() - from);
    out += in_page(page.substr(plan, separator - plan), page.substr(format, closed - format));
    from = ended;
  }
  return out + page.substr(from);
}

constexpr std::string_view plan_with_secrets = R"(
[pod]
data_dir = "/nonexistent/arizuko_demo"
[env]
sources = ["dotenv:${X_VALUES}"]
generated = { MADE = true }
[service.router]
command = ["router"]
need = ["MADE"]
[service.a]
command = ["a"]
after = ["router"]
enabled_when = ["A_TOKEN"]
need = ["A_TOKEN"]
[service.b]
command = ["b"]
after = ["router"]
enabled_when = ["B_MODE=loud"]
[service.c]
command = ["c"]
bound_to = ["router"]
need = ["C_TOKEN", "A_TOKEN"]
)";

}  // namespace

TEST_CASE("graph: the pictures of the stock plans in the pages are what the command draws") {
  const bool rewrite = std::getenv("ARIZUKO_REWRITE_SNAPSHOTS") != nullptr;
  int pictures = 0;
  for (const char* name : {"/README.md", "/docs/how-to/which-plan.md"}) {
    CAPTURE(name);
    const std::string page = text_of(root + name);
    const std::string now = redrawn(page, pictures);
    if (rewrite) std::ofstream(root + name, std::ios::binary | std::ios::trunc) << now;
    CHECK_MESSAGE((rewrite || page == now), "run cli_tests with ARIZUKO_REWRITE_SNAPSHOTS=1");
  }
  CHECK(pictures == 4);
}

TEST_CASE("graph: text is the default, and dot begins with digraph") {
  const Captured text = type({"graph", "--plan", root + "/etc/arizuko.toml", "--set", "env.sources=[]"});
  CHECK(text.out.starts_with("1  seed "));
  CHECK(without_values("etc/arizuko-routd.toml", "dot").starts_with("digraph"));
  CHECK(type({"graph", "--format", "svg"}).code == 64);
  CHECK(type({"graph", "--plan", "/nowhere/plan.toml"}).code == 78);
}

TEST_CASE("graph: --all shows the links that follow from others") {
  const tests::TemporaryDirectory directory;
  const std::string plan =
      directory.write("p.toml",
                      "[service.a]\ncommand = [\"a\"]\n[service.b]\ncommand = [\"b\"]\n"
                      "after = [\"a\"]\n[service.c]\ncommand = [\"c\"]\nafter = [\"a\", \"b\"]\n");
  CHECK_FALSE(has(type({"graph", "--plan", plan}).out, "after a, b"));
  CHECK(has(type({"graph", "--plan", plan, "--all"}).out, "after a, b"));
}

TEST_CASE("graph: what is off or blocked for want of a value is said, and no value is") {
  const tests::TemporaryDirectory directory;
  const std::string values = directory.write("values", "A_TOKEN=very-secret-a\nB_MODE=very-secret-b\n");
  std::string text(plan_with_secrets);
  text.replace(text.find("${X_VALUES}"), 11, values);
  const std::string plan = directory.write("p.toml", text);
  for (const char* format : {"text", "dot", "mermaid"}) {
    CAPTURE(format);
    const Captured drawn = type({"graph", "--plan", plan, "--format", format, "--all"});
    CHECK_MESSAGE(drawn.code == 0, drawn.err);
    CHECK_FALSE(has(drawn.out + drawn.err, "very-secret"));
    CHECK_FALSE(has(drawn.err, "no value is known"));
  }
  const std::string picture = type({"graph", "--plan", plan}).out;
  CHECK(has(picture, "Not started:\n  b  off      B_MODE is not \"loud\"\n  c  blocked  it needs C_TOKEN\n"));
}
