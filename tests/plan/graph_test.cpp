// The graph of a plan in its three forms.
#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "arizuko/plan/graph.hpp"
#include "support.hpp"

namespace arizuko::plan {
namespace {

using namespace testing;

/// A service with these further keys.
std::string service(const std::string& name, const std::string& keys = "") {
  return "[service." + name + "]\ncommand = [\"x\"]\n" + keys + "\n";
}

Plan loaded(const std::string& text) {
  auto plan = load_text(text);
  REQUIRE_MESSAGE(plan, lines(plan ? Problems{} : plan.error()));
  return *plan;
}

std::string drawn(const std::string& text, GraphFormat format, GraphLinks links = GraphLinks::telling) {
  return graph(loaded(text), {.format = format, .links = links, .idle = {}});
}

/// The lines of the text form that show steps.
std::string steps(const std::string& text, GraphLinks links = GraphLinks::telling) {
  const std::string all = drawn(text, GraphFormat::text, links);
  return all.substr(0, all.find("\n\n") + 1);
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// A hand-made service: a name that the parser would refuse.
Service named(std::string name) {
  Service made;
  made.name = std::move(name);
  return made;
}

const std::string small = "[task.seed]\ncommand = [\"x\"]\n" +
                          service("router", "essential = true\nafter = [\"seed\"]") +
                          service("web", "after = [\"seed\", \"router\"]") +
                          service("one", "group = \"end\"\nbound_to = [\"router\"]") +
                          service("two", "group = \"end\"\nbound_to = [\"router\"]\nenabled = false") +
                          service("last", "bound_to = [\"router\"]\nafter_tried = [\"@end\", \"web\"]");

}  // namespace

TEST_CASE("graph: the text form has a line for each service, in steps, and says what each waits for") {
  CHECK(drawn(small, GraphFormat::text) ==
        "1  seed    task, essential\n"
        "2  router  gate, essential  after seed\n"
        "3  web                      after router\n"
        "   @end    all 2            bound to router\n"
        "     one, two (off)\n"
        "4  last                     bound to router; tried @end, web\n"
        "\n"
        "Not started:\n"
        "  two  off  enabled = false\n"
        "\n"
        "after X     starts when X is ready, stops before X\n"
        "bound to X  the same, and restarts when X was restarted\n"
        "tried X     starts when X is ready or has had its chance, stops before X\n"
        "\n"
        "The pod is ready with router.\n");
}

TEST_CASE("graph: Mermaid gets identifiers of its own, boxes for groups, one arrow to all of a group") {
  CHECK(drawn(small, GraphFormat::mermaid) ==
        "flowchart TD\n"
        "  subgraph g0[\"@end\"]\n"
        "    s3[\"one\"]\n"
        "    s4[\"two\"]\n"
        "  end\n"
        "  s0[/\"seed\"/]\n"
        "  s1{{\"router\"}}\n"
        "  s2[\"web\"]\n"
        "  s5[\"last\"]\n"
        "  s0 --> s1\n"
        "  s1 --> s2\n"
        "  s1 ==> g0\n"
        "  s1 ==> s5\n"
        "  g0 -.-> s5\n"
        "  s2 -.-> s5\n"
        "  classDef essential stroke-width:3px\n"
        "  class s0,s1 essential\n"
        "  classDef idle stroke-dasharray:4 4,opacity:0.6\n"
        "  class s4 idle\n");
}

TEST_CASE("graph: dot has quoted names, clusters for groups, and arrows that are cut at their boxes") {
  const std::string text = drawn(small, GraphFormat::dot);
  CHECK(text.starts_with("digraph"));
  CHECK(has(text, "  subgraph \"cluster_0\" {\n    label=\"@end\";\n    \"one\";\n"));
  CHECK(has(text, "    \"two\" [style=dashed, fontcolor=gray40, tooltip=\"off: enabled = false\"];\n  }\n"));
  CHECK(has(text, "  \"router\" [peripheries=2, penwidth=2];\n"));
  CHECK(has(text, "  \"router\" -> \"one\" [style=bold, lhead=\"cluster_0\"];\n"));
  CHECK(has(text, "  \"one\" -> \"last\" [style=dashed, ltail=\"cluster_0\"];\n"));
  CHECK(text.ends_with("}\n"));
}

TEST_CASE("graph: a link that follows from others is left out, and --all shows it") {
  const std::string chain =
      service("a") + service("b", "after = [\"a\"]") + service("c", "after = [\"a\", \"b\"]");
  CHECK(has(steps(chain), "3  c        after b\n"));
  CHECK(has(steps(chain, GraphLinks::all), "3  c        after a, b\n"));
}

TEST_CASE("graph: a link that says more than those it might follow from stays") {
  // b has had its chance when it is off, and a need not be ready then.
  CHECK(has(steps(service("a") + service("b", "after = [\"a\"]") +
                  service("c", "after = [\"a\"]\nafter_tried = [\"b\"]")),
            "c        after a; tried b\n"));
  // Nobody restarts for a's sake over a link that only orders.
  CHECK(has(steps(service("a") + service("b", "after = [\"a\"]") +
                  service("c", "after = [\"b\"]\nbound_to = [\"a\"]")),
            "after b; bound to a\n"));
  // But over links that restart.
  CHECK(has(
      steps(service("a") + service("b", "bound_to = [\"a\"]") + service("c", "bound_to = [\"a\", \"b\"]")),
      "  bound to b\n"));
  // To be ready is more than to have had a chance.
  CHECK(has(steps(service("a") + service("b", "after = [\"a\"]\nafter_tried = [\"a\"]")), "  after a\n"));
}

TEST_CASE(
    "graph: a gate is what each other service comes before or after; what has no links does not count") {
  const std::string fork = service("a") + service("b", "after = [\"a\"]") + service("c", "after = [\"a\"]");
  CHECK(has(steps(fork), "1  a  gate\n2  b        after a\n   c        after a\n"));
  CHECK(has(steps(fork + service("alone")), "a      gate\n"));
  CHECK_FALSE(has(steps(fork + service("d") + service("e", "after = [\"d\"]")), "gate"));
}

TEST_CASE("graph: members of a group that wait for something else have a line of their own") {
  const std::string text = steps(service("a") + service("g1", "group = \"g\"\nafter = [\"a\"]") +
                                 service("g2", "group = \"g\"\nafter = [\"a\"]") + service("b") +
                                 service("g3", "group = \"g\"\nafter = [\"a\", \"b\"]") +
                                 service("z", "after_tried = [\"g1\", \"g3\"]"));
  CHECK(has(text, "2  @g  2 of 3"));
  CHECK(has(text, "     g1, g2\n"));
  CHECK(has(text, "   g3  of @g"));
  CHECK(has(text, "tried g1, g3\n"));
  const std::string mermaid =
      drawn(service("a") + service("g1", "group = \"g\"\nafter = [\"a\"]") + service("g2", "group = \"g\""),
            GraphFormat::mermaid);
  CHECK(has(mermaid, "  s0 --> s1\n"));
}

TEST_CASE("graph: a group that is named beside one of its members is still the whole group") {
  CHECK(has(steps(service("g1", "group = \"g\"") + service("g2", "group = \"g\"") +
                  service("z", "after = [\"g1\", \"@g\"]")),
            "after @g\n"));
}

TEST_CASE("graph: no text of a name or a reason is a word of dot or Mermaid") {
  Plan plan;
  plan.services = {named("end"), named("a\"b<c>#\\\x1b[31m\n")};
  plan.services[1].group_name = "graph";
  plan.services[0].group_name = "graph";
  const std::vector<Idle> idle{{Idle::State::off, 0, "A is not \"x\\\"\n"}};
  const std::string dot = graph(plan, {GraphFormat::dot, GraphLinks::telling, idle});
  CHECK(
      has(dot, "\"end\" [style=dashed, fontcolor=gray40, tooltip=\"off: A is not \\\"x\\\\\\\"\\\\n\"];\n"));
  const std::string washed = R"("a\"b<c>#\\\\x1b[31m\\n";)";
  CHECK_MESSAGE(has(dot, washed), dot);
  const std::string mermaid = graph(plan, {GraphFormat::mermaid, GraphLinks::telling, idle});
  CHECK(has(mermaid, "s0[\"end\"]\n"));
  CHECK(has(mermaid, "s1[\"a#34;b#60;c#62;#35;#92;"));
  for (const std::string& text : {dot, mermaid, graph(plan, {GraphFormat::text, GraphLinks::telling, idle})})
    CHECK(std::ranges::none_of(text, [](char c) { return c == '\x1b'; }));
}

TEST_CASE("graph: no line of the text form is wider than 80 columns while names are short") {
  std::string text = service("router");
  for (int i = 0; i < 60; ++i) {
    text += service("adapter-" + std::to_string(i), "group = \"adapters\"\nbound_to = [\"router\"]");
    text += service("other-" + std::to_string(i), "after = [\"router\"]");
  }
  std::string names;
  for (int i = 0; i < 60; ++i) names += (i == 0 ? "\"other-" : ", \"other-") + std::to_string(i) + "\"";
  text += service("last", "after_tried = [\"@adapters\", " + names + "]");
  std::istringstream lines(drawn(text, GraphFormat::text));
  std::size_t widest = 0;
  for (std::string line; std::getline(lines, line);) {
    widest = std::max(widest, line.size());
    CHECK_FALSE(line.ends_with(' '));
  }
  CHECK(widest <= 80);
  CHECK(widest > 70);
}

TEST_CASE("graph: a plan of 4096 services in one chain, and one of the longest lists, are drawn whole") {
  Plan chain;
  Plan wide;
  for (ServiceId id = 0; id < 4096; ++id) {
    chain.services.push_back(named("s" + std::to_string(id)));
    wide.services.push_back(named("s" + std::to_string(id)));
    // Each comes after all of the last 256, so that all but one link follow from others.
    for (ServiceId back = 1; back <= std::min<ServiceId>(id, 256); ++back)
      chain.services[id].after.push_back(id - back);
    for (ServiceId first = 0; id >= 256 && first < 256; ++first) wide.services[id].after.push_back(first);
  }
  const std::string text = graph(chain, {});
  CHECK(has(text, "\n4096  s4095        after s4094\n"));
  const std::string mermaid = graph(chain, {GraphFormat::mermaid, GraphLinks::telling, {}});
  std::size_t arrows = 0;
  for (std::size_t at = 0; (at = mermaid.find(" --> ", at)) != std::string::npos; ++at) ++arrows;
  CHECK(arrows == 4095);
  CHECK(has(graph(wide, {GraphFormat::dot, GraphLinks::telling, {}}), "  \"s255\" -> \"s4095\";\n"));
}

TEST_CASE("graph: an empty plan is an empty picture") {
  CHECK(graph(Plan{}, {}).empty());
  CHECK(graph(Plan{}, {GraphFormat::mermaid, GraphLinks::telling, {}}) == "flowchart TD\n");
}

}  // namespace arizuko::plan
