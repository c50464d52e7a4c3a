// docs/reference/plan.md and the schema say the same, and the defaults are what both say.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "arizuko/plan/show.hpp"
#include "plan/schema.hpp"
#include "support.hpp"

namespace arizuko::plan {
namespace {

using namespace testing;

struct Row {
  std::string section;
  std::string name;
  std::string type;
  std::string standard;  // of .ready and .live: the meaning, which says it
  std::string example;
};

std::string plain(std::string_view cell) {
  std::string out;
  for (const char c : cell) {
    if (c != '`') out += c;
  }
  const auto first = out.find_first_not_of(' ');
  return first == std::string::npos ? "" : out.substr(first, out.find_last_not_of(' ') - first + 1);
}

/// Every table row of docs/reference/plan.md whose first cell is a key: what stands in it, without
/// backquotes.
std::vector<Row> documented() {
  std::ifstream in{ARIZUKO_SOURCE_DIR "/docs/reference/plan.md"};
  std::vector<Row> rows;
  std::string line, heading;
  while (std::getline(in, line)) {
    if (line.starts_with("#")) heading = line.substr(line.find(' ') + 1);
    if (!line.starts_with("| `")) continue;
    std::vector<std::string> cells;
    for (std::size_t at = 1; at < line.size();) {
      const auto end = line.find('|', at);
      cells.push_back(plain(line.substr(at, end - at)));
      at = end + 1;
    }
    const bool look = heading == ".ready and .live";  // no column of defaults
    rows.push_back({heading, cells.at(0), cells.at(1), cells.at(look ? 3 : 2), cells.at(look ? 2 : 3)});
  }
  return rows;
}

std::string heading_of(Section section) {
  switch (section) {
    case Section::plan: return "";
    case Section::pod: return "[pod]";
    case Section::env: return "[env]";
    case Section::unit:
    case Section::service: return "[service.NAME] and [task.NAME]";
    case Section::task: return "Tasks only";
    case Section::look: return ".ready and .live";
    case Section::restart: return ".restart";
    case Section::stop: return ".stop";
    case Section::agents: return "[agents]";
  }
  return "";
}

}  // namespace

TEST_CASE("plan: every key of the schema is documented with its type and default, and the reverse") {
  auto rows = documented();
  CHECK(rows.size() > 55);
  for (const Key& key : schema()) {
    if (key.type == "table") continue;  // documented by its heading
    INFO(key.name);
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) {
      return r.section == heading_of(key.section) && r.name == key.name;
    });
    REQUIRE(row != rows.end());
    CHECK(row->type == key.type);
    if (key.section == Section::look) {
      const bool said = row->standard.find("default " + std::string{key.standard}) != std::string::npos;
      CHECK((key.standard.empty() || said));
    } else {
      CHECK(row->standard == key.standard);
    }
    rows.erase(row);
  }
  for (const Row& row : rows) CHECK_MESSAGE(false, row.section << " documents an unknown key: " << row.name);
}

TEST_CASE("plan: every example of the docs is taken without a word, and changes something") {
  const std::string base =
      "[service.gated]\ncommand = [\"gated\"]\nessential = true\n"
      "[service.teled]\ncommand = [\"teled\"]\nport = 9001\nafter = [\"gated\"]\n"
      "[service.proxyd]\ncommand = [\"proxyd\"]\nafter = [\"gated\"]\n"
      "[service.x]\ncommand = [\"x\"]\nready.file = \"/x\"\n"
      "[task.seed]\ncommand = [\"seed\"]\n";
  const std::map<std::string, std::string> tables = {{"[pod]", "pod"},
                                                     {"[env]", "env"},
                                                     {"[agents]", "agents"},
                                                     {"[service.NAME] and [task.NAME]", "service.x"},
                                                     {".ready and .live", "service.x.ready"},
                                                     {".restart", "service.gated.restart"},
                                                     {".stop", "service.x.stop"},
                                                     {"Tasks only", "task.seed"}};
  const auto loaded = [&](const std::string& more) {
    return load({{"p", base}, {"p.d/example", more}}, {}, environment({{"INSTANCE_NAME", "acme"}}));
  };
  const auto bare = loaded("");
  REQUIRE(bare);
  std::size_t tried = 0;
  for (const Row& row : documented()) {
    const std::string text = fmt::format("[{}]\n{} = {}\n", tables.at(row.section), row.name, row.example);
    INFO(text);
    CHECK_FALSE(row.example.empty());
    const auto plan = loaded(text);
    REQUIRE_MESSAGE(plan, lines(plan ? Problems{} : plan.error()));
    CHECK(lines(plan->warnings).empty());
    const bool same = plan->pod == bare->pod && plan->env == bare->env && plan->agents == bare->agents &&
                      plan->services == bare->services;
    CHECK_FALSE(same);
    ++tried;
  }
  CHECK(tried > 55);
}

TEST_CASE("plan: the table form of a condition is documented with all its keys") {
  for (const Key& key : schema()) {
    if (key.parts.empty()) continue;
    std::string braces = "{ ";
    for (const char c : key.parts) braces += c == ' ' ? std::string{", "} : std::string{c};
    INFO(key.name);
    CHECK(std::string{key.type}.find(braces + " }") != std::string::npos);
  }
}

TEST_CASE("plan: writing every default out changes nothing") {
  const std::string base =
      "[service.a]\ncommand = [\"a\"]\nessential = true\n[service.b]\ncommand = [\"b\"]\n[task.t]\ncommand = "
      "[\"t\"]\n";
  std::vector<File> files{{"p", base}};
  const auto bare = load(files, {}, environment({}));
  REQUIRE(bare);
  std::vector<Override> overrides;
  const auto set = [&](const std::string& table, const Key& key) {
    const auto standard = std::string{key.standard};
    const bool literal = standard == "[]" || standard == "true" || standard == "{}" ||
                         standard.starts_with('"') || standard.starts_with('[') ||
                         (!standard.empty() && standard[0] >= '0' && standard[0] <= '9');
    const bool split =
        standard.find("tasks") != std::string::npos || standard.find("when") != std::string::npos;
    if (literal && !split) overrides.push_back({table + "." + std::string{key.name}, standard});
  };
  for (const Key& key : schema()) {
    if (key.section == Section::pod) set("pod", key);
    if (key.section == Section::env) set("env", key);
    if (key.section == Section::agents) set("agents", key);
    if (key.section == Section::task) set("task.t", key);
    for (const std::string unit : {"service.a", "service.b", "task.t"}) {
      if (key.section == Section::unit) set(unit, key);
      if (key.section == Section::restart) set(unit + ".restart", key);
      if (key.section == Section::stop) set(unit + ".stop", key);
    }
  }
  for (const Override& each :
       std::vector<Override>{{"pod.data_dir", "/srv/data/arizuko_demo"},
                             {"pod.ready_when", "[\"a\"]"},
                             {"service.a.restart.when", "always"},
                             {"task.t.restart.when", "never"},
                             {"task.t.essential", "true"},
                             {"service.b.essential", "false"},
                             {"service.a.restart.verdict", "end-pod"},
                             {"service.b.restart.verdict", "stay-down"},
                             {"task.t.restart.verdict", "end-pod"},
                             {"service.a.cwd", "/srv/data/arizuko_demo/.arizuko-init/cwd"}}) {
    overrides.push_back(each);
  }
  CHECK(overrides.size() > 60);
  const auto full = load(files, overrides, environment({}));
  REQUIRE_MESSAGE(full, lines(full ? Problems{} : full.error()));
  CHECK(full->pod == bare->pod);
  CHECK(full->env == bare->env);
  CHECK(full->agents == bare->agents);
  CHECK(full->services == bare->services);
  CHECK(to_json(*full) == to_json(*bare));
}

TEST_CASE("plan: the defaults of a condition are what the docs say") {
  const std::string head = "[service.a]\ncommand = [\"a\"]\n[service.a.ready]\nfile = \"/x\"\n";
  const auto bare = load_text(head);
  std::string text = head;
  for (const Key& key : schema()) {
    if (key.section == Section::look && !key.standard.empty())
      text += fmt::format("{} = {}\n", key.name, key.standard);
  }
  const auto full = load_text(text);
  REQUIRE(bare);
  REQUIRE(full);
  CHECK(full->services == bare->services);
  CHECK(text.size() > head.size() + 50);
}

}  // namespace arizuko::plan
