// Values that daemons cannot do without, or not work with.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace arizuko;
using namespace arizuko::doctor;
using namespace arizuko::doctor::testing;

TEST_CASE("doctor: a HOST_APP_DIR without skills is an error (0.7)") {
  World world;
  world.set("HOST_APP_DIR", "/workspace");
  world.load("[service.gated]\nenv.HOST_APP_DIR = \"${HOST_APP_DIR}\"\n");
  const Finding found = only(check_skills(world.context()));
  CHECK(found.severity == Severity::error);
  CHECK(found.where.file == "/workspace/ant/skills");
  std::filesystem::create_directories(world.root + "/empty/ant/skills");
  world.set("HOST_APP_DIR", world.root + "/empty");
  CHECK(only(check_skills(world.context())).what == "it is empty");
}

TEST_CASE("doctor: a zone without data is a warning, TIMEZONE is read by nobody (T27)") {
  World world;
  world.set("TZ", "Europe/Atlantis");
  CHECK(has(only(check_time_zone(world.context())).what, "no zone Europe/Atlantis in this image"));
  world.set("TZ", "../../etc/passwd");
  CHECK(only(check_time_zone(world.context())).what == "it is no zone's name");
  world.set("TZ", "UTC");
  CHECK(heads(check_time_zone(world.context())) == Heads{});
  world.snapshot.values.erase("TZ");
  CHECK(heads(check_time_zone(world.context())) == Heads{});
  world.set("TIMEZONE", "Europe/Berlin");
  CHECK(only(check_time_zone(world.context())).what == "TIMEZONE is set, and TZ is not");
}

TEST_CASE("doctor: a needed value that is missing: an error for the gate, a warning for the rest (T34)") {
  World world;
  world.set("TELEGRAM_BOT_TOKEN", "planted");
  CHECK(heads(check_needed(world.context())) == Heads{});
  world.snapshot.values.erase("CHANNEL_SECRET");
  const Findings found = check_needed(world.context());
  CHECK(heads(found) == Heads{"error needed-values", "warning needed-values"});
  CHECK(found.front().what == "CHANNEL_SECRET is not set");
  CHECK(found.front().key == "service.gated.need");
  CHECK(found.front().why == "`run` ends at once with exit 78");
  CHECK(found.back().why == "teled stays blocked; the rest runs");
  CHECK(has(found.front().fix, world.root + "/data/.env, the environment, " + world.root + "/secrets"));
}

TEST_CASE("doctor: guarded keys that wait are named") {
  const World world;
  CHECK(heads(check_guarded(world.context())) == Heads{});
  Context context = world.context();
  context.pending_guarded = {"AUTH_SECRET"};
  const Finding found = only(check_guarded(context));
  CHECK(found.severity == Severity::warning);
  CHECK(found.key == "AUTH_SECRET");
}

TEST_CASE("doctor: a changed guarded key that keeps the pod from being ready is an error, no warning") {
  World world;
  world.load("[env]\nguarded = [\"AUTH_SECRET\"]\n[service.gated]\ntake = [\"AUTH_SECRET\"]\n");
  world.set("AUTH_SECRET", "another");
  Context context = world.context();
  context.pending_guarded = {"AUTH_SECRET"};
  const Finding found = only(check_guarded(context));
  CHECK(found.severity == Severity::error);
  CHECK(has(found.what, "what sees it does not start, and the pod is never ready"));
}

TEST_CASE("doctor: data of earlier runs without a fingerprint of the guarded value is a warning") {
  World world;
  world.load("[env]\nguarded = [\"AUTH_SECRET\"]\n[task.seed]\ncommand = [\"true\"]\ncreates = \"" +
             world.root + "/data/database\"\n");
  world.set("AUTH_SECRET", "another");
  Context context = world.context();
  context.fingerprints_known = false;
  CHECK(heads(check_guarded(context)) == Heads{});
  world.write("data/database", "");
  CHECK(heads(check_guarded(context)) == Heads{"warning guarded-keys"});
}

TEST_CASE("doctor: ARIZUKO_DEV is an error where a service gets it, else a note (T18)") {
  World world;
  world.set("ARIZUKO_DEV", "false");
  CHECK(heads(check_development(world.context())) == Heads{});
  world.set("ARIZUKO_DEV", "1");
  CHECK(heads(check_development(world.context())) == Heads{"note development"});
  world.set("TELEGRAM_BOT_TOKEN", "planted");
  const Finding found = only(check_development(world.context()));
  CHECK(found.severity == Severity::error);
  CHECK(found.what == "teled get it");
}

TEST_CASE("doctor: an ASSISTANT_NAME that daemons refuse, or that eats senders, is an error (T33)") {
  World world;
  for (const char* name : {"Ari Zuko", "a:b", "it's", "a\\b", "a/b", "tab\there"}) {
    CAPTURE(name);
    world.set("ASSISTANT_NAME", name);
    CHECK(has(only(check_assistant(world.context())).what, "it has a space or one of"));
  }
  for (const char* name : {"time", "Telegram", "WEB", "te_e", "%", "x", "anon", "Local", "user", "delegate",
                           "escal", "rout", "Runed"}) {
    CAPTURE(name);
    world.set("ASSISTANT_NAME", name);
    CHECK(has(only(check_assistant(world.context())).what, "begin with it"));
  }
  world.write("data/groups/atlas/x", "");
  world.set("ASSISTANT_NAME", "Atl");
  CHECK(only(check_assistant(world.context())).what == "a group's name begins with it");
  world.set("ASSISTANT_NAME", std::string(200, 'b'));
  CHECK(has(only(check_assistant(world.context())).what, "longer than"));
  for (const char* name : {"Ari", "Andy", "telegraph", "timekeeper", ""}) {
    CAPTURE(name);
    world.set("ASSISTANT_NAME", name);
    CHECK(heads(check_assistant(world.context())) == Heads{});
  }
}

TEST_CASE("doctor: voice without a server, or with one of ours, is found (T31)") {
  World world;
  world.set("VOICE_TRANSCRIPTION_ENABLED", "true");
  CHECK(heads(check_whisper(world.context())) == Heads{"warning whisper"});  // the stand-in refuses
  world.set("WHISPER_BASE_URL", "http://whisper.media.svc:9000");
  CHECK(heads(check_whisper(world.context())) == Heads{});
  world.set("WHISPER_BASE_URL",
            fmt::format("http://localhost:{}/", world.plan.services[*world.plan.find("proxyd")].port));
  CHECK(has(only(check_whisper(world.context())).what, "it points at proxyd"));
  world.snapshot.values.erase("WHISPER_BASE_URL");
  world.load("[service.gated]\nenv.WHISPER_BASE_URL = \"${WHISPER_BASE_URL}\"\n");
  CHECK(has(only(check_whisper(world.context())).why, "localhost:8080"));
  world.set("VOICE_TRANSCRIPTION_ENABLED", "false");
  CHECK(heads(check_whisper(world.context())) == Heads{});
}

TEST_CASE("doctor: the router is whoever it is, and a finding names that one (T31)") {
  World world;
  world.load(
      "[service.gated]\nenabled = false\n[service.routd]\ncommand = [\"/usr/local/bin/routd\"]\n"
      "take = [\"VOICE_TRANSCRIPTION_ENABLED\"]\n");
  world.set("VOICE_TRANSCRIPTION_ENABLED", "1");
  const Finding found = only(check_whisper(world.context()));
  CHECK(found.key == "service.routd.env.WHISPER_BASE_URL");
  CHECK(found.why == "routd would post users' audio to localhost:8080, which is timed here (T31)");
}

TEST_CASE("doctor: the copy that runed makes for agents is looked at where it comes from (0.7)") {
  World world;
  world.load("[service.gated]\nenv.APP_SRC_DIR = \"/elsewhere\"\n");
  const Finding found = only(check_skills(world.context()));
  CHECK(found.key == "APP_SRC_DIR");
  CHECK(found.where.file == "/elsewhere/ant/skills");
}

TEST_CASE("doctor: a socket's path of 107 bytes fits, of 108 does not (T38)") {
  World world;
  const std::size_t rest = std::string_view("/ipc/main/gated.sock").size();
  world.plan.pod.data_dir = "/" + std::string(107 - rest - 1, 'd');
  CHECK(heads(check_socket_paths(world.context())) == Heads{});
  world.plan.pod.data_dir += 'd';
  CHECK(only(check_socket_paths(world.context())).what ==
        "this socket's path has 108 bytes, 107 are the most");
}

TEST_CASE("doctor: a group whose name is too long for its socket is found (T38)") {
  const World world;
  CHECK(heads(check_socket_paths(world.context())) == Heads{});
  const std::string name(100, 'g');
  std::filesystem::create_directories(world.root + "/data/groups/" + name);
  CHECK(has(only(check_socket_paths(world.context())).why, "group " + name));
}

// -----------------------------------------------------------------------------------------------
// Values that are made once, and lists of keys

namespace {

constexpr const char* generating =
    "[env.generated]\nCHANNEL_SECRET = true\nAUTH_SECRET = true\n[service.gated]\ntake = [\"AUTH_SECRET\"]\n"
    "[task.seed]\ncommand = [\"gated\"]\ncreates = \"${pod.data_dir}/store/messages.db\"\n";

}  // namespace

TEST_CASE("doctor: what the next start makes is no missing value, and is named") {
  World world;
  world.load(generating);
  world.snapshot.values.erase("CHANNEL_SECRET");
  CHECK(heads(check_needed(world.context())) == Heads{});
  const Finding coming = only(check_generated(world.context()));
  CHECK(coming.severity == Severity::note);
  CHECK(coming.what == "no source has them: the next start makes them: CHANNEL_SECRET, AUTH_SECRET");
}

TEST_CASE(
    "doctor: a guarded key of an instance with data stays unset, and one that is lost is an error (T16)") {
  World world;
  world.load(generating);
  world.write("data/store/messages.db", "x");
  CHECK(has(only(check_generated(world.context())).what, "stays unset: AUTH_SECRET"));
  Context context = world.context();
  context.pending_guarded = {"AUTH_SECRET"};
  const Finding lost = only(check_generated(context));
  CHECK(lost.severity == Severity::error);
  CHECK(lost.where.file == world.root + "/data/.arizuko-init/generated/AUTH_SECRET");
  CHECK(has(lost.fix, "from a backup"));
}

TEST_CASE("doctor: a generated value that others can read is a warning, and the value is not in it") {
  World world;
  world.load(generating);
  world.set("AUTH_SECRET", "of a real source");
  const std::string directory = world.root + "/data/.arizuko-init/generated";
  world.write("data/.arizuko-init/generated/CHANNEL_SECRET", "planted-secret", 0600);
  ::chmod(directory.c_str(), 0700);
  world.snapshot.values["CHANNEL_SECRET"] = {"planted-secret", "generated:" + directory};
  CHECK(only(check_generated(world.context())).what == "made by an earlier start: CHANNEL_SECRET");
  ::chmod((directory + "/CHANNEL_SECRET").c_str(), 0640);
  ::chmod(directory.c_str(), 0755);
  const Findings found = check_generated(world.context());
  CHECK(heads(found) ==
        Heads{"note generated-values", "warning generated-values", "warning generated-values"});
  CHECK(found.back().fix == "chmod 0600 " + directory + "/CHANNEL_SECRET");
  for (const Finding& each : found) CHECK_FALSE(has(full(each), "planted"));
}

TEST_CASE(
    "doctor: in a list of keys, one that is missing, doubled, or holds the sign of its item is found (N1)") {
  World world;
  world.load(
      "[service.gated]\nenv.KEYS = { join = \",\", of = [\"service:proxyd=${KEY_A}\", "
      "\"service:teled=${KEY_B}\", "
      "\"plain ${KEY_C}\", \"x=${KEY_D:-none}\"] }\n[service.proxyd]\ntake = [\"KEY = KEY_A\"]\n");
  const Finding missing = only(check_joined(world.context()));
  CHECK(missing.severity == Severity::warning);
  CHECK(missing.what == "KEY_A is not set");
  CHECK(missing.key == "service.gated.env.KEYS");
  CHECK(has(missing.why, "proxyd would have to prove"));
  world.set("KEY_A", "planted");
  world.set("KEY_B", "planted");
  world.set("KEY_C", "c=");
  const Finding doubled = only(check_joined(world.context()));
  CHECK(doubled.severity == Severity::error);
  CHECK(doubled.what == "KEY_A and KEY_B have the same value");
  world.set("KEY_B", "grown==");
  const Finding sign = only(check_joined(world.context()));
  CHECK(sign.what == "the value of KEY_B holds a \"=\"");
  for (const Finding& each : {doubled, sign}) {
    CHECK_FALSE(has(full(each), "planted"));
    CHECK_FALSE(has(full(each), "grown"));
  }
}
