// A value that is wrong is the trouble of those who take it: it is held back by itself, and the rest is
// taken.
#include "harness.hpp"

namespace arizuko::tests {

namespace {

using std::chrono::seconds;

constexpr const char* secrets = "dir:/secrets";
constexpr const char* dotenv = "dotenv:/data/.env";

PlanBuilder adapters() {
  PlanBuilder plan;
  plan.service("gated").take = {"CHANNEL_SECRET", "AUTH_SECRET"};
  plan.service("slakd").need = {"SLACK"};
  plan.service("teled").take = {"TOKEN"};
  plan.bind("slakd", {"gated"});
  plan.bind("teled", {"gated"});
  plan.plan.env.sources = {{plan::Source::Kind::dotenv, "/data/.env"},
                           {plan::Source::Kind::environment, ""},
                           {plan::Source::Kind::directory, "/secrets"}};
  plan.plan.env.guarded = {"AUTH_SECRET"};
  return plan;
}

using Values = std::map<std::string, env::Value, std::less<>>;

EnvironmentChanged offered(Values values, std::map<std::string, std::string, std::less<>> unusable = {}) {
  auto made = std::make_shared<env::Snapshot>();
  made->values = std::move(values);
  made->unusable = std::move(unusable);
  return {.snapshot = made, .unlike_last_run = {}, .switched = {}};
}

EnvironmentChanged again(EnvironmentChanged event) {
  event.again = true;
  return event;
}

Values values(const std::string& slack, const std::string& token) {
  return {{"CHANNEL_SECRET", {"channel", secrets}}, {"SLACK", {slack, secrets}}, {"TOKEN", {token, secrets}}};
}

Bench running(const EnvironmentChanged& first) {
  Bench bench(adapters());
  bench.offer(first);
  bench.up("gated");
  for (const char* name : {"slakd", "teled"}) {
    if (bench.view(name).state == State::starting) bench.up(name);
  }
  bench.log();
  return bench;
}

void restart(Bench& bench, std::string_view name) {
  bench.exited(name, 0);
  bench.up(name);
}

// slakd dies of its new value, and comes back with the old one.
void refuse_slack(Bench& bench) {
  bench.exited("slakd", 0);
  bench.spawned("slakd");
  bench.exited("slakd", 1);
  bench.up("slakd");
}

const HeldKeyView& held(const Bench& bench) {
  REQUIRE_EQ(bench.view().values.held_keys.size(), 1);
  return bench.view().values.held_keys.front();
}

}  // namespace

TEST_CASE("engine: a wrong value of one adapter does not keep the others from their new ones") {
  Bench bench = running(offered(values("good", "1")));
  bench.offer(offered(values("bad", "2")));
  refuse_slack(bench);
  CHECK_EQ(bench.view().values.rotation->outcome, Outcome::rolled_back);
  CHECK_EQ(held(bench).key, "SLACK");
  CHECK_EQ(held(bench).why, HeldWhy::failed);
  CHECK_EQ(held(bench).reason, "slakd did not bear it: it exited with code 1");
  CHECK_EQ(held(bench).generation, 2);
  const std::string log = bench.log();
  CHECK(log.contains(
      "SLACK was changed and is held back, the old value stays: slakd did not bear it: it exited "
      "with code 1. It is tried once more in 1 min"));
  CHECK(log.contains("read-sources for the rest"));

  bench.offer(again(offered(values("bad", "2"))));
  CHECK_EQ(bench.states(), "gated ready, slakd ready, teled stopping");
  restart(bench, "teled");
  bench.tick();
  CHECK_EQ(bench.view().values.rotation->outcome, Outcome::applied);
  CHECK_EQ(bench.view("slakd").runs.spawns, 3);

  SUBCASE("nor the next rotations, while the wrong value stays in the Secret") {
    bench.offer(offered(values("bad", "3")));
    CHECK_EQ(bench.states(), "gated ready, slakd ready, teled stopping");
    restart(bench, "teled");
    bench.wait(seconds(5));
    bench.tick();
    CHECK_EQ(bench.view().values.rotation->outcome, Outcome::applied);
    CHECK_EQ(held(bench).generation, 2);
  }
  SUBCASE("a changed value is tried at once") {
    bench.offer(offered(values("better", "2")));
    CHECK_EQ(bench.view("slakd").state, State::stopping);
    CHECK(bench.view().values.held_keys.empty());
  }
  SUBCASE("the old value in the Secret again is no news") {
    bench.offer(offered(values("good", "2")));
    CHECK_EQ(bench.states(), "gated ready, slakd ready, teled ready");
    CHECK(bench.view().values.held_keys.empty());
  }
}

TEST_CASE(
    "engine: a kill within 5 s of a rotation does not cost a good secret: it is tried once more by itself") {
  Bench bench = running(offered(values("old", "1")));
  bench.offer(offered(values("new", "1")));
  restart(bench, "slakd");
  bench.wait(seconds(3));
  bench.killed("slakd", 9);
  bench.up("slakd");
  CHECK_EQ(bench.view().values.rotation->outcome, Outcome::rolled_back);
  CHECK_FALSE(bench.log().contains("read-sources"));
  CHECK_EQ(bench.deadline(), 60);
  bench.tick();
  CHECK(bench.log().contains("read-sources for a retry"));
  CHECK_EQ(bench.deadline(), -1);
  bench.offer(again(offered(values("new", "1"))));
  restart(bench, "slakd");
  bench.tick();
  CHECK_EQ(bench.view().values.rotation->outcome, Outcome::applied);
  CHECK(bench.view().values.held_keys.empty());
}

TEST_CASE("engine: what was not borne twice is tried again when it changes, or when an operator asks") {
  Bench bench = running(offered(values("good", "1")));
  bench.offer(offered(values("bad", "1")));
  refuse_slack(bench);
  bench.tick();
  bench.offer(again(offered(values("bad", "1"))));
  bench.log();
  refuse_slack(bench);
  CHECK(
      bench.log().contains("It is offered again when it changes, or by `arizuko-init secrets retry SLACK`"));
  CHECK_EQ(bench.deadline(), -1);
  CHECK_FALSE(held(bench).retry_at);
  bench.offer(again(offered(values("bad", "1"))));
  CHECK_EQ(bench.view("slakd").state, State::ready);
  CHECK_EQ(bench.view().values.rotation->outcome, Outcome::refused);

  SUBCASE("by its key") {
    bench.deliver(Retry{"SLACK", "operator (uid 1000)"});
    CHECK(bench.log().contains("read-sources"));
  }
  SUBCASE("all of them") {
    bench.deliver(Retry{std::nullopt, "operator (uid 1000)"});
    CHECK(bench.log().contains("read-sources"));
  }
  SUBCASE("not for another key") {
    bench.deliver(Retry{"TOKEN", "operator (uid 1000)"});
    CHECK_FALSE(bench.log().contains("read-sources"));
    return;
  }
  bench.offer(again(offered(values("bad", "1"))));
  CHECK_EQ(bench.view("slakd").state, State::stopping);
}

TEST_CASE("engine: a needed value that is removed is held back, and the rest of the change is taken") {
  Bench bench = running(offered(values("good", "1")));
  Values without = values("good", "2");
  without.erase("SLACK");
  bench.offer(offered(without));
  CHECK_EQ(bench.states(), "gated ready, slakd ready, teled stopping");
  CHECK_EQ(held(bench).why, HeldWhy::needed);
  CHECK(bench.log().contains(
      "SLACK was removed and is held back, the old value stays: slakd runs, and needs it"));
}

TEST_CASE("engine: a key that is gone from the Secret is not replaced by what .env made up") {
  Values first = values("good", "1");
  Bench bench = running(offered(first));
  Values weaker = first;
  weaker["CHANNEL_SECRET"] = {"made up by create", dotenv};
  weaker["TOKEN"] = {"2", secrets};
  bench.offer(offered(weaker));
  CHECK_EQ(bench.states(), "gated ready, slakd ready, teled stopping");
  CHECK_EQ(held(bench).why, HeldWhy::weaker);
  CHECK(bench.log().contains(
      "CHANNEL_SECRET was changed and is held back, the old value stays: it is gone from "
      "dir:/secrets, and dotenv:/data/.env has another one"));
  restart(bench, "teled");
  bench.tick();
  SUBCASE("a reload for another purpose does not take it either") {
    EnvironmentChanged asked = offered(weaker);
    asked.asked = true;
    bench.offer(asked);
    CHECK_EQ(bench.view("gated").state, State::ready);
  }
  SUBCASE("until somebody accepts it") {
    bench.deliver(Accept{"CHANNEL_SECRET", "operator (uid 1000)"});
    CHECK(bench.log().contains("read-sources"));
    bench.offer(again(offered(weaker)));
    CHECK_EQ(bench.view("gated").state, State::stopping);
    CHECK(bench.view().values.held_keys.empty());
  }
  SUBCASE("put back it is in force already") {
    first["TOKEN"] = {"2", secrets};
    bench.offer(offered(first));
    CHECK_EQ(bench.view("gated").state, State::ready);
    CHECK(bench.view().values.held_keys.empty());
  }
  SUBCASE("a stronger source may take over, as ever") {
    weaker["CHANNEL_SECRET"] = {"rotated", secrets};
    bench.offer(offered(weaker));
    CHECK_EQ(bench.view("gated").state, State::stopping);
  }
}

TEST_CASE("engine: a value that no variable can hold is the trouble of those who take it") {
  Bench bench = running(offered(values("good", "1")));
  Values rest = values("good", "2");
  SUBCASE("nobody takes it") {
    bench.offer(offered(rest, {{"UNUSED", "the value holds a NUL byte"}}));
    CHECK(bench.view().values.held_keys.empty());
  }
  SUBCASE("one takes it: the old value stays") {
    rest.erase("SLACK");
    bench.offer(offered(rest, {{"SLACK", "the value holds a NUL byte"}}));
    CHECK_EQ(held(bench).why, HeldWhy::unusable);
    CHECK(bench.log().contains(
        "SLACK was changed and is held back, the old value stays: the value holds a NUL byte"));
    CHECK_EQ(bench.view("slakd").state, State::ready);
  }
  SUBCASE("one takes it that had none: it stays unset") {
    bench.offer(offered(rest, {{"AUTH_SECRET", "the value holds a NUL byte"}}));
    CHECK_EQ(held(bench).how, "added");
    CHECK_EQ(bench.view("gated").state, State::ready);
  }
  CHECK_EQ(bench.view("teled").state, State::stopping);
}

TEST_CASE("engine: at boot, an unusable value blocks who takes it, and nobody else") {
  Bench bench(adapters());
  Values some = values("good", "1");
  SUBCASE("needed") {
    some.erase("SLACK");
    bench.offer(offered(some, {{"SLACK", "the value holds a NUL byte"}}));
    bench.up("gated");
    CHECK_EQ(bench.states(), "gated ready, slakd blocked, teled starting");
    CHECK_EQ(bench.why("slakd"),
             "slakd is blocked: it needs SLACK, which cannot be used: the value holds a NUL byte.");
    CHECK_EQ(held(bench).blocks, true);
    SUBCASE("mended in its source, it starts") {
      bench.offer(offered(values("good", "1")));
      CHECK_EQ(bench.view("slakd").state, State::starting);
      CHECK(bench.view().values.held_keys.empty());
    }
    SUBCASE("and what else changes is taken") {
      bench.up("teled");
      some["TOKEN"] = {"2", secrets};
      bench.offer(offered(some, {{"SLACK", "the value holds a NUL byte"}}));
      CHECK_EQ(bench.view("teled").state, State::stopping);
      CHECK_EQ(bench.view("slakd").state, State::blocked);
    }
  }
  SUBCASE("only taken") {
    some.erase("TOKEN");
    bench.offer(offered(some, {{"TOKEN", "the value holds a NUL byte"}}));
    bench.up("gated");
    CHECK_EQ(bench.states(), "gated ready, slakd starting, teled blocked");
  }
  SUBCASE("unused") {
    bench.offer(offered(some, {{"UNUSED", "the value holds a NUL byte"}}));
    bench.up("gated");
    CHECK_EQ(bench.states(), "gated ready, slakd starting, teled starting");
    CHECK(bench.view().values.held_keys.empty());
  }
}

TEST_CASE(
    "engine: a guarded key that appears where there was none stays unset, and says what would be lost") {
  Bench bench = running(offered(values("good", "1")));
  Values more = values("good", "1");
  more["AUTH_SECRET"] = {"first", secrets};
  bench.offer(offered(more));
  CHECK(bench.log().contains(
      "AUTH_SECRET was added and is held back, it stays unset: there was none, and what was "
      "stored without one may be deleted at the next start"));
}

TEST_CASE("engine: a new plan cannot go round the guard by another name") {
  Values first = values("good", "1");
  first["AUTH_SECRET"] = {"first", secrets};
  first["OTHER"] = {"second", secrets};
  Bench bench = running(offered(first));
  PlanBuilder plan = adapters();
  plan["gated"].env.emplace_back("AUTH_SECRET", plan::Template{{plan::EnvReference{"OTHER", std::nullopt}}});
  bench.reload(plan);
  CHECK_EQ(bench.view("gated").state, State::ready);
  CHECK(bench.log().contains(
      "the new plan is refused, the old one stays: services would see another AUTH_SECRET"));
}

TEST_CASE("engine: what feeds a guarded key under another name is guarded as well") {
  PlanBuilder plan = adapters();
  plan["gated"].env.emplace_back("AUTH_SECRET", plan::Template{{plan::EnvReference{"OTHER", std::nullopt}}});
  Bench bench(plan);
  Values first = values("good", "1");
  first["OTHER"] = {"second", secrets};
  bench.offer(offered(first));
  CHECK(bench.log().contains("remember AUTH_SECRET=second"));
  bench.up("gated");
  first["OTHER"] = {"third", secrets};
  bench.offer(offered(first));
  CHECK_EQ(bench.view("gated").state, State::ready);
  CHECK_EQ(held(bench).key, "AUTH_SECRET");
  bench.deliver(Accept{"AUTH_SECRET", "operator (uid 1000)"});
  bench.offer(again(offered(first)));
  CHECK_EQ(bench.view("gated").state, State::stopping);
}

TEST_CASE("engine: a value that everybody lacks is said once") {
  PlanBuilder plan;
  for (const char* name : {"gated", "webd", "slakd", "teled", "discd", "emaid"})
    plan.service(name).need = {"CHANNEL_SECRET"};
  plan["gated"].essential = true;
  Bench bench(plan);
  bench.values({});
  CHECK(bench.view().verdict.starts_with(
      "needed values are not set: CHANNEL_SECRET (for gated, webd, slakd and 3 more). Set them"));
}

TEST_CASE("engine: newer values do not wait for a wrong password that its daemon lives with") {
  PlanBuilder plan = adapters();
  plan["slakd"].ready_within = plan::Duration(180'000);
  plan["slakd"].stop.timeout = plan::Duration(1'000);
  plan["slakd"].stop.leftovers = plan::Duration(0);
  Bench bench(plan);
  bench.offer(offered(values("good", "1")));
  for (const char* name : {"gated", "slakd", "teled"}) bench.up(name);
  bench.offer(offered(values("bad", "1")));
  bench.exited("slakd", 0);
  bench.spawned("slakd");  // 503 for good
  CHECK_EQ(bench.deadline(), 180);
  bench.offer(offered(values("bad", "2")));
  CHECK_EQ(bench.deadline(), 30);
  bench.tick();
  CHECK(bench.log().contains("slakd: it did not become ready again in time, and newer values wait"));
  restart(bench, "slakd");
  CHECK_EQ(bench.view("teled").state, State::stopping);
  CHECK_EQ(held(bench).key, "SLACK");

  SUBCASE("but they do for what the pod cannot do without") {
    PlanBuilder needed = plan;
    needed.plan.pod.ready_when = {1};
    Bench patient(needed);
    patient.offer(offered(values("good", "1")));
    for (const char* name : {"gated", "slakd", "teled"}) patient.up(name);
    patient.offer(offered(values("bad", "1")));
    patient.exited("slakd", 0);
    patient.spawned("slakd");
    patient.offer(offered(values("bad", "2")));
    CHECK_EQ(patient.deadline(), 180);
  }
}

// ---------------------------------------------------------------------------------------------
// Logins that are kept in files

namespace {

Bench with_login() {
  PlanBuilder plan = adapters();
  plan["slakd"].cached = {{"SLACK", {"/data/session.json"}}};
  Bench bench(plan);
  bench.offer(offered(values("old", "1")));
  for (const char* name : {"gated", "slakd", "teled"}) bench.up(name);
  bench.log();
  bench.offer(offered(values("new", "1")));
  bench.exited("slakd", 0);
  return bench;
}

}  // namespace

TEST_CASE("engine: a saved login does not make a wrong password pass: its file is set aside, and put back") {
  Bench bench = with_login();
  CHECK(bench.log().contains("  login set-aside slakd SLACK\n  spawn slakd/2"));
  bench.spawned("slakd");
  bench.exited("slakd", 1);
  CHECK(bench.log().contains("  login put-back slakd SLACK\n  spawn slakd/3"));
  bench.up("slakd");
  bench.wait(seconds(5));
  bench.tick();
  CHECK_FALSE(bench.log().contains("login"));
}

TEST_CASE("engine: the saved login of an old password is forgotten once the new one has proved good") {
  Bench bench = with_login();
  bench.log();
  bench.up("slakd");
  CHECK_FALSE(bench.log().contains("login"));
  bench.tick();
  CHECK_EQ(bench.view().values.rotation->outcome, Outcome::applied);
  CHECK(bench.log().contains("login forget slakd SLACK"));
}

TEST_CASE("engine: a restart without a new password leaves the saved login alone") {
  Bench bench = with_login();
  bench.up("slakd");
  bench.tick();
  bench.log();
  bench.killed("slakd", 9);
  bench.tick();
  CHECK_FALSE(bench.log().contains("login"));
}

TEST_CASE("engine: of three passwords the first one's login comes back, and only with it") {
  PlanBuilder plan = adapters();
  plan["slakd"].cached = {{"SLACK", {"/data/session.json"}}};
  Bench bench(plan);
  bench.offer(offered(values("first", "1")));
  bench.up("gated");
  bench.spawned("slakd");
  bench.exited("slakd", 1);  // not serving: each new value is taken at once
  bench.offer(offered(values("second", "1")));
  CHECK(bench.log().contains("login set-aside slakd SLACK"));
  bench.spawned("slakd");
  bench.exited("slakd", 1);
  bench.offer(offered(values("third", "1")));
  CHECK(bench.log().contains("login drop slakd SLACK"));
  bench.spawned("slakd");
  bench.exited("slakd", 1);
  bench.offer(offered(values("first", "1")));
  CHECK(bench.log().contains("login put-back slakd SLACK"));
}

}  // namespace arizuko::tests
