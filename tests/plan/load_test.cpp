// Merging, overriding, references and order: what a good plan becomes.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "arizuko/plan/show.hpp"
#include "support.hpp"

namespace arizuko::plan {
namespace {

using namespace testing;

const std::string two =
    "[service.a]\ncommand = [\"a\"]\nport = 1\n[service.b]\ncommand = [\"b\"]\nport = 2\n";

const Service& service(const Plan& plan, std::string_view name) {
  return plan.services.at(plan.find(name).value());
}

std::vector<std::string> order(const Plan& plan) {
  std::vector<std::string> names;
  for (const Service& each : plan.services) names.push_back(each.name);
  return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("plan: a command that sends itself into the background is warned of, and no other") {
  const auto warnings = [](const std::string& command) {
    const auto plan = load({{"test.toml",
                             "[pod]\ninstance = \"t\"\ndata_dir = \"/d\"\nready_when = []\n"
                             "[service.a]\ncommand = " +
                                 command + "\n"}},
                           {}, environment({}));
    REQUIRE_MESSAGE(plan, lines(plan ? Problems{} : plan.error()));
    return lines(plan->warnings);
  };
  const std::string said = warnings(R"(["/usr/sbin/d", "--daemonize"])");
  CHECK(said.contains("service.a.command"));
  CHECK(said.contains("sends it into the background"));
  CHECK(said.contains("start it in the foreground"));
  CHECK(warnings(R"(["sh", "-c", "d --config x & "])").contains("background"));
  CHECK(warnings(R"(["sh", "-c", "a && b"])") == "");
  CHECK(warnings(R"(["sh", "-c", "true &&"])") == "");
  CHECK(warnings(R"(["/usr/sbin/d", "--no-daemon"])") == "");
}

TEST_CASE("plan: the sample of design.md loads without a warning, in start order") {
  std::stringstream text;
  text << std::ifstream{ARIZUKO_SOURCE_DIR "/tests/plan/sample.toml"}.rdbuf();
  const auto plan = load({{"sample.toml", text.str()}}, {}, environment({}));
  REQUIRE_MESSAGE(plan, lines(plan ? Problems{} : plan.error()));
  CHECK(lines(plan->warnings) == "");
  CHECK(order(*plan) == Names{"seed", "gated", "teled", "proxyd", "onbod"});
  const Service& teled = service(*plan, "teled");
  CHECK(teled.after == std::vector<ServiceId>{1});
  CHECK(teled.bound_to == std::vector<ServiceId>{1});
  CHECK(service(*plan, "onbod").after == std::vector<ServiceId>{1});
  CHECK(service(*plan, "onbod").after_tried == std::vector<ServiceId>{2});
  CHECK(plan->pod.ready_when == std::vector<ServiceId>{1, 3});
  CHECK(plan->pod.data_dir == "/srv/data/arizuko_demo");
  CHECK(plan->env.sources.front() == Source{Source::Kind::dotenv, "/srv/data/arizuko_demo/.env"});
  const Service& gated = service(*plan, "gated");
  REQUIRE(gated.ready.size() == 3);
  CHECK(std::get<HttpCheck>(gated.ready[0].check) == HttpCheck{"http://127.0.0.1:9080/health", "127.0.0.1",
                                                               9080, "/health", literal("ok"),
                                                               Listener::own});
  CHECK(gated.ready[1].wait == Duration{3000});
  CHECK(gated.live.at(0).failures == 6);
  CHECK(gated.restart.verdict == Verdict::end_pod);
  CHECK(service(*plan, "teled").ready.at(0).timeout == Duration{5000});
}

TEST_CASE("plan: what comes first in the file starts first, unless it comes after another") {
  const auto plan = load_text(
      "[service.c]\ncommand = [\"c\"]\nafter = [\"z\"]\n[task.t]\ncommand = [\"t\"]\n[service.b]\ncommand = "
      "[\"b\"]\n"
      "[service.z]\ncommand = [\"z\"]\nafter_tried = [\"t\"]\n");
  REQUIRE(plan);
  CHECK(order(*plan) == Names{"t", "b", "z", "c"});
}

TEST_CASE("plan: drop-ins are merged key by key and keep their own places") {
  const auto plan = load(
      {{"p.toml",
        "[service.a]\ncommand = [\"a\"]\ntake = [\"X\"]\nstop = { timeout = \"1s\", leftovers = \"3s\" }\n"},
       {"p.toml.d/10.toml", "[service.a]\ntake = [\"Y\"]\nstop.timeout = \"2s\"\n"},
       {"p.toml.d/20.toml", "[service.n]\ncommand = [\"n\"]\n"}},
      {}, environment({}));
  REQUIRE(plan);
  CHECK(service(*plan, "a").take == std::vector<Taken>{"Y"});
  CHECK(service(*plan, "a").stop == StopPolicy{15, Duration{2000}, Duration{3000}});
  CHECK(service(*plan, "a").where == Location{"p.toml", 1, 10});
  CHECK(service(*plan, "n").where == Location{"p.toml.d/20.toml", 1, 10});
  CHECK(order(*plan) == Names{"a", "n"});

  const auto wrong =
      load({{"p.toml", two}, {"p.toml.d/10.toml", "[service.b]\n\nport = 1\n"}}, {}, environment({}));
  REQUIRE_FALSE(wrong);
  CHECK(lines(wrong.error()) ==
        "p.toml.d/10.toml:3:1: service.b.port: 1 is already the port of a at p.toml:3:1; give each its own: "
        "they share "
        "one network\n");
}

TEST_CASE("plan: a drop-in may replace a value by a table and the reverse") {
  const auto plan =
      load({{"p", two + "[service.a.ready]\ntcp = \"127.0.0.1:1\"\n"},
            {"q", "[service.a.ready]\ntcp = { address = \"127.0.0.1:2\", listener = \"any\" }\n"}},
           {}, environment({}));
  REQUIRE(plan);
  CHECK(std::get<TcpCheck>(service(*plan, "a").ready.at(0).check) == TcpCheck{"127.0.0.1", 2, Listener::any});
}

TEST_CASE("plan: --set takes TOML where it parses and a string where it does not") {
  const auto plan = load_text(two, {{"service.a.port", "9011"},
                                    {"pod.grace", "50s"},
                                    {"service.a.take", "[\"X\"]"},
                                    {"service.a.ready.notify", "true"},
                                    {"pod.instance", "\"7\""}});
  REQUIRE(plan);
  CHECK(service(*plan, "a").port == 9011);
  CHECK(plan->pod.grace == Duration{50'000});
  CHECK(service(*plan, "a").take == std::vector<Taken>{"X"});
  CHECK(service(*plan, "a").ready.size() == 1);
  CHECK(plan->pod.instance == "7");
}

TEST_CASE("plan: a mistake in --set names the override") {
  CHECK(problems_of(two, {{"pod.grace", "5"}}) ==
        "--set pod.grace: is a number without a unit; write \"250ms\", \"3s\" or \"1m30s\"\n");
  CHECK(problems_of(two, {{"service.a.prot", "5"}}) ==
        "--set service.a.prot: unknown key; did you mean \"port\"?\n");
  CHECK(problems_of(two, {{"pod..x", "5"}}) ==
        "--set pod..x: not a key of the plan; write it with dots: --set service.teled.port=9011\n");
  CHECK(problems_of(two, {{"pod.instance", "x\ngrace = \"1s\""}})
            .starts_with("--set pod.instance: \"x\\x0agrace"));
}

TEST_CASE("plan: all problems are returned at once, in the order of the files") {
  const auto plan =
      load({{"b.toml", "[service.a]\nport = 1\nprot = 2\n[pod]\ngrace = 5\n"}, {"a.toml", "[env]\nx = 1\n"}},
           {{"pod.page", "x"}}, environment({}));
  REQUIRE_FALSE(plan);
  std::string places;
  for (const Problem& problem : plan.error())
    places += fmt::format("{}:{} ", problem.where.file, problem.where.line);
  CHECK(places == "b.toml:1 b.toml:3 b.toml:5 a.toml:2 --set pod.page:0 ");
}

TEST_CASE("plan: a syntax error in each of two files is told for both") {
  const auto plan = load({{"a", "[x\n"}, {"b", "y\n"}}, {}, environment({}));
  REQUIRE_FALSE(plan);
  CHECK(plan.error().size() == 2);
}

TEST_CASE("plan: an empty variable counts as unset for its default only") {
  const std::string text = "[pod]\ninstance = \"${A:-x}\"\ntermination_log = \"/${A}l\"\n";
  const auto plan = load_text(text, {}, {{"A", ""}});
  REQUIRE(plan);
  CHECK(plan->pod.instance == "x");
  CHECK(plan->pod.termination_log == "/l");
}

TEST_CASE("plan: references in a service's env become holes, fields of the plan text") {
  const auto plan =
      load_text(two + "env = { U = \"<${A}|${B:-${b.url}/$${x}>\", E = \"$${a.port} $5 }\" }\n");
  REQUIRE(plan);
  const auto& env = service(*plan, "b").env;
  REQUIRE(env.size() == 2);
  CHECK(env[0].second == EnvValue{Template{{"<", EnvReference{"A", std::nullopt}, "|",
                                            EnvReference{"B", "http://127.0.0.1:2/${x"}, ">"}}});
  CHECK(env[1].second == EnvValue{Template{{"${a.port} $5 }"}}});
  CHECK(to_text(env[0].second) == "<${A}|${B:-http://127.0.0.1:2/$${x}>");
}

TEST_CASE("plan: data_root is the directory that holds data_dir") {
  const auto root = [](const std::string& data_dir) {
    const auto plan =
        load_text("[pod]\ndata_dir = \"" + data_dir + "\"\ntermination_log = \"${pod.data_root}\"\n");
    return plan ? plan->pod.termination_log : lines(plan.error());
  };
  CHECK(root("/srv/data/x/") == "/srv/data");
  CHECK(root("/x") == "/");
}

TEST_CASE("plan: no value of the environment appears in a problem") {
  const std::string secret = "S3CRET value:localhost";
  const std::string text =
      "[pod]\ninstance = \"${S}\"\ndata_dir = \"${S}\"\nprobes = \"${S}\"\npage = "
      "\"localhost:${S}\"\ncontrol = \"${S}\"\n"
      "grace = \"${S}\"\nlog = \"${S}\"\npath = \"${S}\"\nmake_dirs = [\"${S}\"]\nready_when = [\"${S}\"]\n"
      "[env]\nsources = [\"${S}\", \"dir:${S}\"]\ncommon = [\"${S}\"]\n[service.a]\ncommand = [\"${S}\"]\n";
  const auto problems = problems_of(text, {}, {{"S", secret}});
  CHECK(problems.find("ready_when") != std::string::npos);
  CHECK_MESSAGE(problems.find("S3CRET") == std::string::npos, problems);
}

TEST_CASE("plan: of a source with `only` those names are taken, early as well") {
  const std::string text =
      "[env]\nsources = [{ source = \"dotenv:/own/.env\", only = [\"A\", \"B\"] }, \"environment\"]\n";
  const auto plan = load({{"p", text}}, {}, environment({}));
  REQUIRE(plan);
  CHECK(plan->env.sources.front() ==
        Source{Source::Kind::dotenv, "/own/.env", std::vector<std::string>{"A", "B"}});
  const auto early = early_sources({{"p", text}}, {}, environment({}));
  REQUIRE(early);
  CHECK(*early == plan->env.sources);
  for (const char* wrong : {"{ only = [\"A\"] }", "{ source = \"environment\", olny = [] }", "{ source = 1 }",
                            "{ source = \"dotenv:/x\", only = [\"1A\"] }"}) {
    INFO(wrong);
    CHECK_FALSE(load({{"p", "[env]\nsources = [" + std::string(wrong) + "]\n"}}, {}, environment({})));
  }
}

TEST_CASE("plan: the files of a login lie below the data directory") {
  const auto with = [](const std::string& file) {
    return load({{"p", "[pod]\ndata_dir = \"/data/x\"\n[service.a]\ncommand = [\"a\"]\ncached.TOKEN = [\"" +
                           file + "\"]\n"}},
                {}, environment({}));
  };
  const auto plan = with("${pod.data_dir}/a/session.json");
  REQUIRE(plan);
  CHECK(plan->services[0].cached == std::vector<CachedLogin>{{"TOKEN", {"/data/x/a/session.json"}}});
  CHECK_FALSE(with("/etc/passwd"));
  CHECK_FALSE(with("${pod.data_dir}/../passwd"));
  CHECK_FALSE(with("session.json"));
}

TEST_CASE("plan: early sources are those that need no field of the plan") {
  const auto sources =
      early_sources({{"p",
                      "[env]\nsources = [\"dotenv:${pod.data_dir}/.env\", \"environment\", "
                      "\"dir:${D:-/etc}/x\", \"dir:${UNSET}\", 5, \"dir:/a/${Y:-${a.port}}\"]\nzzz = 1\n"}},
                    {}, environment({{"D", "/d"}}));
  REQUIRE(sources);
  CHECK(*sources ==
        std::vector{Source{Source::Kind::environment, ""}, Source{Source::Kind::directory, "/d/x"}});
  CHECK(early_sources({{"p", ""}}, {}, environment({})) ==
        std::vector{Source{Source::Kind::environment, ""}});
  CHECK_FALSE(early_sources({{"p", "[env"}}, {}, environment({})));
}

TEST_CASE("plan: a task on the stop chain counts only for itself, what is not enabled not at all") {
  const std::string chain =
      "[pod]\ngrace = \"24s\"\n[task.t]\ncommand = [\"t\"]\n[service.a]\ncommand = [\"a\"]\nafter = [\"t\"]\n"
      "[service.b]\ncommand = [\"b\"]\nafter = [\"a\"]\n";
  CHECK(problems_of(chain) == "");
  CHECK(
      problems_of(chain +
                  "[service.c]\ncommand = [\"c\"]\nafter = [\"b\"]\nenabled = false\n[service.d]\ncommand = "
                  "[\"d\"]\nafter = [\"c\"]\n") == "");
  CHECK(problems_of(chain + "[task.u]\ncommand = [\"u\"]\nafter = [\"b\"]\n")
            .find("u 12s + b 12s + a 12s = 36s") != std::string::npos);
}

TEST_CASE("plan: the essential services are what /readyz asks for unless it says otherwise") {
  const auto plan = load_text(two + "essential = true\n[task.t]\ncommand = [\"t\"]\n");
  REQUIRE(plan);
  CHECK(plan->pod.ready_when == std::vector<ServiceId>{plan->find("b").value()});
  const auto none = load_text("[pod]\nready_when = []\n" + two + "essential = true\n");
  REQUIRE(none);
  CHECK(none->pod.ready_when.empty());
}

TEST_CASE("plan: probes and page may share a port on two addresses") {
  CHECK(problems_of("[pod]\nprobes = \"127.0.0.2:9090\"\npage = \"127.0.0.1:9090\"\n") == "");
  CHECK(problems_of("[pod]\nprobes = \"off\"\npage = \"off\"\n" + two +
                    "[service.c]\ncommand = [\"c\"]\nport = 9090\n") == "");
}

TEST_CASE("plan: paths are normalised, and what is below the data dir stays there") {
  const auto plan = load_text("[pod]\ndata_dir = \"//srv/./x/\"\nmake_dirs = [\"${pod.data_dir}/y/\"]\n");
  REQUIRE(plan);
  CHECK(plan->pod.data_dir == "/srv/x");
  CHECK(plan->pod.make_dirs == Names{"/srv/x/y"});
}

TEST_CASE("plan: limits are named when they are passed") {
  std::string many;
  for (int i = 0; i < 4097; ++i) many += fmt::format("[service.s{}]\ncommand = [\"x\"]\n", i);
  CHECK(problems_of(many) == "p.toml:1:1: a table with more than 4096 keys; split it\n");
  CHECK(problems_of("[task.t]\ncommand = [\"t\"]\n" + many.substr(0, many.rfind("[service"))) ==
        "p.toml:8193:10: service.s4095: is one of 4097 services and tasks; a plan can have 4096\n");
  std::string names;
  for (int i = 0; i < 257; ++i) names += fmt::format("\"N{}\",", i);
  CHECK(problems_of("[env]\ncommon = [" + names + "]\n") ==
        "p.toml:2:10: env.common: has 257 entries; a list can have 256\n");
  CHECK(problems_of("#" + std::string(1024 * 1024, 'x')) ==
        "p.toml: a file of more than 1 MiB; a plan is a few kilobytes\n");
  CHECK(problems_of("[pod]\npath = \"/" + std::string(32 * 1024, 'x') + "\"\n") ==
        "p.toml:2:8: pod.path: is longer than 32768 bytes; put it into a file\n");
  std::string entries;
  for (int i = 0; i < 257; ++i) entries += fmt::format("N{} = \"x\"\n", i);
  CHECK(problems_of(two + "[service.b.env]\n" + entries)
            .ends_with("service.b.env: has 257 entries; an env table can have 256\n"));
  CHECK(problems_of(two + "env.X = \"" + std::string(32 * 1024 + 1, 'x') + "\"\n") ==
        "p.toml:7:9: service.b.env.X: is longer than 32768 bytes; put it into a file\n");
  std::string sources;
  for (int i = 0; i < 257; ++i) sources += "\"environment\",";
  CHECK(problems_of("[env]\nsources = [" + sources + "]\n") ==
        "p.toml:2:11: env.sources: has 257 entries; a list can have 256\n");
  CHECK(lines(load(std::vector<File>(65, {"f", ""}), {}, environment({})).error()) ==
        "f: more than 64 files; merge some of them\n");
}

TEST_CASE("plan: a control character is refused wherever it stands") {
  CHECK(problems_of("# a bell: \x07\n") ==
        "p.toml:1:11: a control character (byte 0x07); remove it; in a string write \\u00XX\n");
  CHECK(
      problems_of("[pod]\npath = \"/a\x1b\"\n").starts_with("p.toml:2:11: a control character (byte 0x1b)"));
  CHECK(problems_of("\xef\xbb\xbf[pod]\r\ninstance = \"x\" # \xc3\xa4\r\n") == "");
  CHECK(problems_of("# \xff\n") != "");
}

}  // namespace arizuko::plan
