// Files, drop-ins, --set and templates: what is laid over what, and what comes of it.
#include <doctest/doctest.h>

#include <algorithm>

#include "arizuko/plan/show.hpp"
#include "support.hpp"

namespace arizuko::plan {
namespace {

using namespace testing;
using Names = std::vector<std::string>;
using Keys = std::vector<Taken>;

const Service& service(const Plan& plan, std::string_view name) {
  return plan.services.at(plan.find(name).value());
}

std::expected<Plan, Problems> load_files(const std::vector<std::string>& texts,
                                         const std::vector<Override>& overrides = {}) {
  std::vector<File> files;
  for (const std::string& text : texts) {
    const auto number = files.size();
    files.push_back({number == 0 ? "p.toml" : fmt::format("p.toml.d/{}.toml", number), text});
  }
  return load(files, overrides, environment({}));
}

/// The plan, or the test ends with what is wrong with it.
Plan good(const std::vector<std::string>& texts, const std::vector<Override>& overrides = {}) {
  auto plan = load_files(texts, overrides);
  REQUIRE_MESSAGE(plan, lines(plan ? Problems{} : plan.error()));
  CHECK(lines(plan->warnings) == "");
  return std::move(*plan);
}

std::string problems(const std::vector<std::string>& texts, const std::vector<Override>& overrides = {}) {
  const auto plan = load_files(texts, overrides);
  return lines(plan ? plan->warnings : plan.error());
}

const std::string adapter =
    "[template.adapter]\n"
    "group = \"adapters\"\n"
    "need = [\"CHANNEL_SECRET\"]\n"
    "take = [\"MEDIA_MAX_FILE_BYTES\"]\n"
    "make_dirs = [\"${pod.data_dir}/${self.name}\"]\n"
    "env = { LISTEN_ADDR = \"127.0.0.1:${self.port}\", LISTEN_URL = \"${self.url}\" }\n"
    "ready = { http = { url = \"${self.url}/health\", every = \"30s\" }, within = \"3m\" }\n"
    "live.tcp = \"127.0.0.1:${self.port}\"\n"
    "stop = { timeout = \"16s\", leftovers = \"1s\" }\n";
const std::string teled =
    "[service.teled]\nlike = \"adapter\"\ncommand = [\"teled\"]\nport = 9001\n"
    "need = [\"...\", \"TELEGRAM_BOT_TOKEN\"]\nenv.CHANNEL_NAME = \"telegram\"\n";

std::string env_of(const Service& service) {
  std::string out;
  for (const auto& [name, value] : service.env) out += name + "=" + to_text(value) + " ";
  return out;
}

}  // namespace

TEST_CASE("plan: a service that is like a template is what both say, as if it had been written out") {
  const Plan short_form = good({adapter + teled});
  const Plan long_form = good(
      {"[service.teled]\ncommand = [\"teled\"]\nport = 9001\ngroup = \"adapters\"\n"
       "need = [\"CHANNEL_SECRET\", \"TELEGRAM_BOT_TOKEN\"]\ntake = [\"MEDIA_MAX_FILE_BYTES\"]\n"
       "env = { LISTEN_ADDR = \"127.0.0.1:9001\", LISTEN_URL = \"http://127.0.0.1:9001\", CHANNEL_NAME = "
       "\"telegram\" }\n"
       "ready = { http = { url = \"http://127.0.0.1:9001/health\", every = \"30s\" }, within = \"3m\" }\n"
       "live.tcp = \"127.0.0.1:9001\"\nstop = { timeout = \"16s\", leftovers = \"1s\" }\n"
       "[pod]\nmake_dirs = [\"${pod.data_dir}/teled\"]\n"});
  CHECK(short_form.services == long_form.services);
  CHECK(short_form.pod == long_form.pod);
  CHECK(to_json(short_form) == to_json(long_form));
}

TEST_CASE("plan: a second account is like the first, and differs in what it writes") {
  const Plan plan = good({adapter + teled,
                          "[service.teled-work]\nlike = \"teled\"\nport = 9011\n"
                          "env.CHANNEL_NAME = \"telegram-work\"\n"});
  const Service& work = service(plan, "teled-work");
  CHECK(work.command == Names{"teled"});
  CHECK(work.need == Keys{"CHANNEL_SECRET", "TELEGRAM_BOT_TOKEN"});
  CHECK(env_of(work) ==
        "LISTEN_ADDR=127.0.0.1:9011 LISTEN_URL=http://127.0.0.1:9011 CHANNEL_NAME=telegram-work ");
  CHECK(std::get<HttpCheck>(work.ready.at(0).check).url == "http://127.0.0.1:9011/health");
  CHECK(work.where == Location{"p.toml.d/1.toml", 1, 10});
  CHECK(plan.pod.make_dirs == Names{"/srv/data/arizuko_demo/teled", "/srv/data/arizuko_demo/teled-work"});
}

TEST_CASE("plan: a drop-in that changes a template changes all that are like it") {
  const Plan plan =
      good({adapter + teled + "[service.discd]\nlike = \"adapter\"\ncommand = [\"discd\"]\nport = 9002\n",
            "[template.adapter]\nstop.timeout = \"2s\"\ntake = [\"...\", \"TZ\"]\n"},
           {{"template.adapter.ready.within", "4m"}});
  for (const std::string name : {"teled", "discd"}) {
    CHECK(service(plan, name).stop == StopPolicy{15, Duration{2000}, Duration{1000}});
    CHECK(service(plan, name).take == Keys{"MEDIA_MAX_FILE_BYTES", "TZ"});
    CHECK(service(plan, name).ready_within == std::chrono::minutes{4});
  }
}

TEST_CASE("plan: \"...\" stands for the entries that were there, wherever it stands in the list") {
  const auto need = [](const std::string& text) {
    return service(good({"[service.a]\ncommand = [\"a\"]\nneed = [\"A\", \"B\"]\n",
                         "[service.a]\nneed = " + text}),
                   "a")
        .need;
  };
  CHECK(need("[\"...\", \"C\"]") == Keys{"A", "B", "C"});
  CHECK(need("[\"C\", \"...\"]") == Keys{"C", "A", "B"});
  CHECK(need("[\"C\", \"...\", \"D\"]") == Keys{"C", "A", "B", "D"});
  CHECK(need("[\"...\"]") == Keys{"A", "B"});
  CHECK(need("[\"C\"]") == Keys{"C"});
  CHECK(need("[]") == Keys{});
}

TEST_CASE("plan: \"...\" goes through files, --set, and the chain of templates") {
  const std::string chain =
      "[template.t]\nneed = [\"T\"]\n[template.u]\nlike = \"t\"\nneed = [\"...\", \"U\"]\n"
      "[service.a]\ncommand = [\"a\"]\nlike = \"u\"\nneed = [\"...\", \"A\"]\n";
  CHECK(service(good({chain}), "a").need == Keys{"T", "U", "A"});
  CHECK(service(
            good({chain, "[service.a]\nneed = [\"...\", \"D\"]\n"}, {{"service.a.need", R"(["...", "S"])"}}),
            "a")
            .need == Keys{"T", "U", "A", "D", "S"});
  const std::string bare = "[template.t]\nneed = [\"T\"]\n[service.a]\ncommand = [\"a\"]\nlike = \"t\"\n";
  CHECK(service(good({bare, "[service.a]\nneed = [\"...\", \"D\"]\n"}), "a").need == Keys{"T", "D"});
  CHECK(service(good({bare, "[service.a]\nneed = [\"D\"]\n", "[service.a]\nneed = [\"...\", \"E\"]\n"}), "a")
            .need == Keys{"D", "E"});
}

TEST_CASE("plan: \"...\" that has nothing below stays a word of a command, and is no name") {
  const Plan plan =
      good({"[service.a]\ncommand = [\"a\", \"...\"]\ndrop = [\"...\"]\n"
            "ready.exec = [\"...\"]\n"});
  CHECK(plan.services[0].command == Names{"a", "..."});
  CHECK(plan.services[0].drop == Names{"..."});
  CHECK(std::get<ExecCheck>(plan.services[0].ready.at(0).check).command == Names{"..."});
  CHECK(service(good({"[service.a]\ncommand = [\"a\"]\n", "[service.a]\ncommand = [\"...\", \"-v\"]\n"}), "a")
            .command == Names{"a", "-v"});
}

TEST_CASE(
    "plan: false takes a table away, from a template and from a file, and what comes after stands alone") {
  const std::string off = "[service.teled]\nlive = false\n";
  CHECK(service(good({adapter + teled}), "teled").live.size() == 1);
  CHECK(service(good({adapter + teled + "live = false\n"}), "teled").live.empty());
  CHECK(service(good({adapter + teled, off}), "teled").live.empty());
  CHECK(service(good({adapter + teled}, {{"service.teled.live", "false"}}), "teled").live.empty());
  const std::string own = teled + "live.exec = [\"x\"]\n";
  CHECK(service(good({adapter + own}), "teled").live.size() == 2);
  CHECK_MESSAGE(service(good({adapter + own, off}), "teled").live.empty(),
                "what the template has must not come back when the file's is taken away");
  const Plan again = good({adapter + own, off, "[service.teled]\nlive.file = \"/x\"\n"});
  REQUIRE(service(again, "teled").live.size() == 1);
  CHECK(std::holds_alternative<FileCheck>(service(again, "teled").live[0].check));
  CHECK(good({adapter + teled + "[service.b]\ncommand = [\"b\"]\n", "[service]\nb = false\n"})
            .services.size() == 1);
  const std::string heir = "[service.work]\nlike = \"teled\"\nport = 9011\nenv.CHANNEL_NAME = \"work\"\n";
  CHECK(service(good({adapter + teled + "live = false\n" + heir}), "work").live.empty());
}

TEST_CASE("plan: false takes a condition away that is no table") {
  const Plan plan =
      good({"[template.t]\nready = { http = \"${self.url}/\", within = \"3m\" }\n"
            "[service.a]\nlike = \"t\"\ncommand = [\"a\"]\nport = 1\nready.http = false\n"
            "ready.tcp = \"127.0.0.1:1\"\n"});
  REQUIRE(plan.services[0].ready.size() == 1);
  CHECK(std::holds_alternative<TcpCheck>(plan.services[0].ready[0].check));
  CHECK(plan.services[0].ready_within == std::chrono::minutes{3});
}

TEST_CASE("plan: false takes a condition away in whichever form it was written, also when there is none") {
  for (const std::string form :
       {"\"http://127.0.0.1:1/\"", "{ url = \"http://127.0.0.1:1/\" }", "[\"http://127.0.0.1:1/\"]"}) {
    const Plan plan = good({"[template.t]\nready.http = " + form + "\nlive = { http = " + form +
                            ", failures = 4 }\n[service.a]\nlike = \"t\"\ncommand = "
                            "[\"a\"]\nready = { http = false, tcp = \"127.0.0.1:1\" }\nlive.http = false\n"});
    CHECK(plan.services[0].ready.size() == 1);
    CHECK(plan.services[0].live.empty());
  }
  const Plan plan = good(
      {"[service.a]\ncommand = [\"a\"]\nready = { http = false, file = false, tcp = \"127.0.0.1:1\" }\n"});
  CHECK(plan.services[0].ready.size() == 1);
}

TEST_CASE("plan: a condition may become a list of conditions, and gain a key") {
  const Plan plan = good(
      {"[template.t]\nready.http.url = \"http://127.0.0.1:1/\"\nlive.http.url = \"http://127.0.0.1:1/\"\n"
       "[service.a]\nlike = \"t\"\ncommand = [\"a\"]\nready.http.contains = \"ok\"\n"
       "live.http = [\"http://127.0.0.1:2/\", { url = \"http://127.0.0.1:3/\" }]\n"});
  CHECK(to_text(plan.services[0].ready.at(0)) == "http http://127.0.0.1:1/ contains \"ok\"");
  CHECK(plan.services[0].live.size() == 2);
}

TEST_CASE("plan: what replaces another kind lets nothing further down show through") {
  const std::string base =
      "[template.t]\nready.http = { url = \"http://127.0.0.1:1/a\", every = \"30s\" }\n"
      "[service.a]\nlike = \"t\"\ncommand = [\"a\"]\nready.http = \"http://127.0.0.1:1/b\"\n";
  const Condition own = service(good({base}), "a").ready.at(0);
  CHECK(std::get<HttpCheck>(own.check).path == "/b");
  CHECK(own.every == Condition{}.every);
  CHECK(problems({base, "[service.a]\nready.http = { every = \"5s\" }\n"})
            .starts_with("p.toml.d/1.toml:2:14: service.a.ready.http.url: is missing"));
}

TEST_CASE("plan: an error in an inherited key is told once, where it is written, and names who has it") {
  const std::string three =
      "[service.b]\nlike = \"t\"\n[service.c]\nlike = \"t\"\n[service.d]\nlike = \"c\"\n";
  CHECK(problems(
            {"[template.t]\ncommand = [\"x\"]\nready.file = \"/x\"\nready.within = \"5 sec\"\n" + three}) ==
        "p.toml:4:16: template.t.ready.within: \"5 sec\" is not a duration (inherited by service.b at "
        "p.toml:5:10 and "
        "2 more); write whole numbers with units, at most 24h: \"250ms\", \"3s\", \"1m30s\", \"2h\"\n");
  CHECK(problems({"[template.t]\ncommand = [\"x\"]\nprot = 1\n" + three}) ==
        "p.toml:3:1: template.t.prot: unknown key (inherited by service.b at p.toml:4:10 and 2 more); did "
        "you mean "
        "\"port\"?\n");
  CHECK(problems({"[template.t]\ncommand = [\"x\"]\nenv.A = \"${self.url}\"\n" + three}) ==
        "p.toml:3:9: template.t.env.A: refers to ${self.url}, but b has no port (inherited by service.b at "
        "p.toml:4:10 "
        "and 2 more); give b a port\n");
  CHECK(problems({"[template.t]\ncommand = [\"x\"]\nneed = [\"...\", \"A\"]\n" + three}) ==
        "p.toml:3:9: template.t.need: there is nothing here for \"...\" to stand for: no list of this name "
        "was there "
        "before (inherited by service.b at p.toml:4:10 and 2 more); write the entries, or remove it\n");
}

TEST_CASE("plan: an error in what a service writes itself is its own") {
  CHECK(problems({adapter + teled + "ready.within = \"5 sec\"\n"})
            .starts_with("p.toml:16:16: service.teled.ready.within: \"5 sec\" is not a duration; "));
}

TEST_CASE("plan: a value of another kind is refused with what it inherits from") {
  CHECK(problems({adapter + teled + "take = \"X\"\n"}) ==
        "p.toml:16:8: service.teled.take: must be a list, not a string (in place of the list at p.toml:4:8); "
        "write a "
        "list: [\"one\", \"two\"]\n");
  CHECK(problems({adapter + teled + "nofile = 99\n", "[service.teled]\nnofile = \"9\"\n"})
            .starts_with(
                "p.toml.d/1.toml:2:10: service.teled.nofile: must be an integer, not a string (in place of "
                "the integer at p.toml:16:10)"));
  CHECK(
      problems({adapter + teled}, {{"template.adapter.stop", "5s"}}) ==
      "--set template.adapter.stop: must be a table, not a string (in place of the table at "
      "p.toml:9:8) (inherited by service.teled at p.toml:10:10); write [template.adapter.stop] and its keys "
      "below\n");
}

TEST_CASE("plan: a port that two inherit is told with both places") {
  CHECK(problems({"[template.t]\ncommand = [\"x\"]\nport = 9\n[service.a]\nlike = \"t\"\n[service.b]\nlike = "
                  "\"t\"\n"}) ==
        "p.toml:6:10: service.b.port: 9, inherited from p.toml:3:1, is already the port of a at p.toml:3:1; "
        "give it its "
        "own: they share one network\n");
}

TEST_CASE("plan: a template runs nothing, and one that nothing is like is warned of") {
  const auto plan = load_files({"[template.t]\ncommand = [\"x\"]\n[template.u]\nlike = \"t\"\n"});
  REQUIRE(plan);
  CHECK(plan->services.empty());
  CHECK(lines(plan->warnings) ==
        "p.toml:3:11: warning: template.u: nothing is like it; write like = \"u\" in a service or task, or "
        "remove it\n");
}

TEST_CASE("plan: a group stands for its members but the service itself") {
  const Plan plan =
      good({"[pod]\ngrace = \"1m\"\nready_when = [\"gated\", \"@a\"]\n[service.gated]\ncommand = [\"g\"]\n"
            "[template.a]\ncommand = [\"x\"]\ngroup = \"a\"\nafter = [\"gated\"]\n"
            "[service.x]\nlike = \"a\"\n[service.y]\nlike = \"a\"\nafter = [\"...\", \"@a\"]\n"
            "[service.z]\ncommand = [\"z\"]\nafter_tried = [\"x\", \"@a\"]\nbound_to = [\"@a\"]\n"});
  const auto id = [&](std::string_view name) { return plan.find(name).value(); };
  CHECK(service(plan, "x").group_name == "a");
  CHECK(service(plan, "y").after == std::vector{id("gated"), id("x")});
  CHECK(service(plan, "z").after_tried == std::vector{id("x"), id("y")});
  CHECK(service(plan, "z").bound_to == std::vector{id("x"), id("y")});
  CHECK(plan.pod.ready_when == std::vector{id("gated"), id("x"), id("y")});
}

TEST_CASE("plan: a task is like a task or a template, and has what tasks have") {
  const Plan plan =
      good({"[template.t]\nwithin = \"9s\"\nverify = [\"/v\"]\n[task.a]\nlike = \"t\"\ncommand = [\"a\"]\n"
            "[task.b]\nlike = \"a\"\ncreates = \"/c\"\n"});
  CHECK(service(plan, "b").ready_within == Duration{9000});
  CHECK(service(plan, "b").verify == Names{"/v"});
  CHECK(service(plan, "b").command == Names{"a"});
  CHECK_FALSE(service(plan, "a").creates.has_value());
}

TEST_CASE("plan: directories of a service are made, those of one that is not enabled are not") {
  const Plan plan =
      good({"[pod]\ndata_dir = \"/d/x\"\nmake_dirs = [\"/d/x/p\", \"/d/x/a\"]\n"
            "[template.t]\ncommand = [\"x\"]\nmake_dirs = [\"${pod.data_dir}/${self.name}\"]\n"
            "[service.b]\nlike = \"t\"\n[service.a]\nlike = \"t\"\n[service.c]\nlike = \"t\"\nenabled = "
            "false\n"});
  CHECK(plan.pod.make_dirs == Names{"/d/x/p", "/d/x/a", "/d/x/b"});
}

TEST_CASE("plan: templates have limits, and each is named when it is passed") {
  std::string many;
  for (int i = 0; i < 257; ++i) many += fmt::format("[template.t{}]\n", i);
  CHECK(problems({many}) == "p.toml:257:11: template.t256: is one of 257 templates; a plan can have 256\n");
  std::string chain = "[template.t0]\ncommand = [\"x\"]\n";
  for (int i = 1; i < 8; ++i) chain += fmt::format("[template.t{}]\nlike = \"t{}\"\n", i, i - 1);
  CHECK(good({chain + "[service.a]\nlike = \"t7\"\n"}).services.size() == 1);
}

TEST_CASE("plan: what a small plan inherits cannot fill the memory") {
  std::string text = "[template.t]\ncommand = [\"x\"]\n[template.t.env]\n";
  for (int i = 0; i < 200; ++i) text += fmt::format("N{} = \"x\"\n", i);
  for (int i = 0; i < 700; ++i) text += fmt::format("[service.s{}]\nlike = \"t\"\n", i);
  const std::string said = problems({text});
  CHECK(said.ends_with(
      "like: brings too many values into the plan; all that is inherited can be 131072 values\n"));
  CHECK(std::ranges::count(said, '\n') == 1);
}

}  // namespace arizuko::plan
