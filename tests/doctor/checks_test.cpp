// Every check of `doctor`: finds the mistake that was planted, and is silent where there is none.
#include <csignal>

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <set>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "arizuko/host/process/run_mark.hpp"
#include "arizuko/host/state/data_lock.hpp"
#include "root.hpp"
#include "world.hpp"

using namespace arizuko;
using namespace arizuko::doctor;
using namespace arizuko::doctor::testing;

namespace {

/// What depends on where the tests are run, not on what is looked at.
bool of_this_machine(const Finding& finding) {
  return (finding.check == "file-system" && has(finding.what, "gone with the container")) ||
         finding.check == "free-space";
}

}  // namespace

TEST_CASE("doctor: nothing is found where nothing is wrong") {
  const World world;
  Findings found = run_all(world.context());
  std::erase_if(found, of_this_machine);
  for (const Finding& each : found) INFO(full(each));
  CHECK(heads(found) == Heads{});
}

TEST_CASE("doctor: it works before the first start, and says nothing about what is not there yet") {
  const World world;
  world.remove("data");
  Findings found = run_all(world.context());
  std::erase_if(found, of_this_machine);
  CHECK(heads(found) == Heads{});
}

TEST_CASE("doctor: it leaves nothing behind") {
  const World world;
  const auto files = [&] {
    std::set<std::string> all;
    for (const auto& each : std::filesystem::recursive_directory_iterator(world.root))
      all.insert(each.path());
    return all;
  };
  const auto before = files();
  run_all(world.context());
  CHECK(files() == before);
}

TEST_CASE("doctor: each check has a name of its own") {
  std::set<std::string_view> names;
  for (const CheckEntry& each : all_checks()) names.insert(each.name);
  CHECK(names.size() == all_checks().size());
}

// ---------------------------------------------------------------------------------------------

TEST_CASE("doctor: a data directory of somebody else is an error that names owner, mode and cure") {
  World world;
  world.become_a_stranger();
  const Finding found = only(check_data_dir(world.context()));
  CHECK(found.severity == Severity::error);
  CHECK(found.what == fmt::format("uid {} cannot write here (owner {}:{}, mode 0750)", world.user.uid,
                                  ::geteuid(), ::getegid()));
  CHECK(has(found.fix, fmt::format("chown it to {}:{}", world.user.uid, world.user.gid)));
}

TEST_CASE(
    "doctor: what is no directory of ours where the state is kept is said before the start refuses it") {
  const World world;
  std::filesystem::create_directory_symlink(world.root, world.root + "/data/.arizuko-init");
  CHECK(only(check_data_dir(world.context())).what == "it is a link, not a directory");
  world.remove("data/.arizuko-init");
  std::filesystem::create_directory(world.root + "/data/.arizuko-init");
  REQUIRE(::mkfifo((world.root + "/data/.arizuko-init/lock").c_str(), 0600) == 0);
  CHECK(only(check_data_dir(world.context())).what == "it is a FIFO, not a regular file");
}

TEST_CASE("doctor: a state directory of somebody else is an error for root, as at the start") {
  arizuko::testing::needs_root();
  const World world;
  std::filesystem::create_directory(world.root + "/data/.arizuko-init");
  CHECK(heads(check_data_dir(world.context())) == Heads{});
  REQUIRE(::chown((world.root + "/data/.arizuko-init").c_str(), 1000, 1000) == 0);
  CHECK(only(check_data_dir(world.context())).what == "it belongs to uid 1000, and this is root");
}

TEST_CASE("doctor: a service with `user` where this is not root is said before it is started") {
  World world;
  world.load("[service.gated]\nuser = \"1000\"\n");
  world.user = {1001, 1001, {}};
  const Finding found = only(check_users(world.context()));
  CHECK(found.severity == Severity::error);
  CHECK(found.key == "service.gated.user");
  CHECK(found.what == "it is to run as uid 1000, and this is uid 1001");
  world.user = {1000, 1000, {}};
  CHECK(heads(check_users(world.context())) == Heads{});
}

TEST_CASE("doctor: root whose service cannot enter the data directory hears it, and what would work") {
  arizuko::testing::needs_root();
  World world;
  world.load("[service.gated]\nuser = \"1000:1000\"\n");
  ::chmod(world.root.c_str(), 0700);
  Finding found = only(check_users(world.context()));
  CHECK(found.severity == Severity::error);
  CHECK(has(found.what, "uid 1000 cannot enter "));
  CHECK(has(found.fix, "chown it to 1000:1000"));
  // Those above belong to whoever made the source tree.
  world.write("bin/x", "");
  ::chmod(world.root.c_str(), 0755);
  ::chmod((world.root + "/data").c_str(), 0755);
  found = only(check_users(world.context()));
  CHECK(found.severity == Severity::warning);
  CHECK(found.what == fmt::format("uid 1000 cannot write in {}/data (owner 0:0, mode 0755)", world.root));
  REQUIRE(::chown((world.root + "/data").c_str(), 1000, 1000) == 0);
  CHECK(heads(check_users(world.context())) == Heads{});
}

TEST_CASE("doctor: a program whose setuid bit has no effect is a warning") {
  arizuko::testing::needs_root();
  World world;
  world.load("[service.gated]\nuser = \"1000\"\n");
  world.user = {0, 0, {}};
  ::chmod((world.root + "/bin/gated").c_str(), 04755);
  const Finding found = only(check_programs(world.context()));
  CHECK(found.severity == Severity::warning);
  CHECK(has(found.what, fmt::format("bin/gated is setuid, of uid {}", ::geteuid())));
  CHECK(has(found.why, "no_new_privs"));
}

TEST_CASE("doctor: a FIFO in the place of a program, a database or its WAL does not hold doctor up") {
  World world;
  ::alarm(20);  // the failure would be to hang
  for (const char* each : {"bin/gated", "data/store/messages.db"}) {
    world.remove(each);
    REQUIRE(::mkfifo((world.root + '/' + each).c_str(), 0755) == 0);
  }
  CHECK(heads(check_programs(world.context())) == Heads{"error programs"});
  CHECK(run_all(world.context()).size() > 0);
  ::alarm(0);
}

TEST_CASE("doctor: a group that may write is enough, as with fsGroup") {
  World world;
  world.become_a_stranger();
  world.user.groups = {::getegid()};
  ::chmod((world.root + "/data").c_str(), 02770);
  ::chmod((world.root + "/data/store").c_str(), 02770);
  CHECK(heads(check_data_dir(world.context())) == Heads{});
}

TEST_CASE("doctor: a data directory that cannot be made is an error, one that can is none") {
  World world;
  world.remove("data");
  CHECK(heads(check_data_dir(world.context())) == Heads{});
  world.become_a_stranger();
  const Finding found = only(check_data_dir(world.context()));
  CHECK(found.severity == Severity::error);
  CHECK(has(found.what, "it does not exist"));
}

TEST_CASE("doctor: a file in place of the data directory, and one that everybody may write") {
  const World world;
  ::chmod((world.root + "/data").c_str(), 0777);
  CHECK(has(only(check_data_dir(world.context())).what, "everybody may write here"));
  world.remove("data");
  world.write("data", "");
  CHECK(only(check_data_dir(world.context())).what == "it is no directory");
  World below;
  below.plan.pod.data_dir = world.root + "/data/deeper/arizuko_demo";
  CHECK(only(check_data_dir(below.context())).what == world.root + "/data is no directory");
}

TEST_CASE("doctor: a database that root made is an error for uid 1000 (T15)") {
  World world;
  world.write("data/store/messages.db", "", 0644);
  CHECK(heads(check_data_dir(world.context())) == Heads{});
  world.become_a_stranger();
  ::chmod((world.root + "/data").c_str(), 0777);
  ::chmod((world.root + "/data/store").c_str(), 0777);
  const Findings found = check_data_dir(world.context());
  CHECK(heads(found) == Heads{"warning data-dir", "error data-dir"});
  CHECK(found.back().where.file == world.root + "/data/store/messages.db");
}

TEST_CASE("doctor: little room is a warning, hardly any is an error, inodes count too") {
  constexpr std::uint64_t mebibyte = 1024 * 1024;
  CHECK(heads(judge_free_space("/d", 1024 * mebibyte, 100'000, 200'000)) == Heads{});
  CHECK(heads(judge_free_space("/d", 100 * mebibyte, 100'000, 200'000)) == Heads{"warning free-space"});
  CHECK(only(judge_free_space("/d", 10 * mebibyte, 100'000, 200'000)).what == "10 MiB are free");
  CHECK(heads(judge_free_space("/d", 1024 * mebibyte, 50, 200'000)) == Heads{"error free-space"});
  CHECK(heads(judge_free_space("/d", 1024 * mebibyte, 0, 0)) == Heads{});  // btrfs has no fixed number
}

TEST_CASE("doctor: a network file system is an error, FUSE and what passes are warnings, a disk is fine") {
  for (const std::uint64_t type : {0x6969U, 0x517BU, 0xFF534D42U, 0xFE534D42U, 0x01021997U}) {
    CAPTURE(type);
    CHECK(heads(judge_file_system("/d", type)) == Heads{"error file-system"});
  }
  CHECK(only(judge_file_system("/d", 0x6969)).what == "the file system is NFS");
  CHECK(heads(judge_file_system("/d", 0x65735546)) == Heads{"warning file-system"});
  CHECK(has(only(judge_file_system("/d", 0x01021994)).what, "tmpfs: it is gone with the container"));
  CHECK(heads(judge_file_system("/d", 0xEF53)) == Heads{});      // ext4
  CHECK(heads(judge_file_system("/d", 0x58465342)) == Heads{});  // XFS
}

TEST_CASE("doctor: shared memory and locks are tried in the data directory") {
  const World world;
  for (const Finding& each : check_file_system(world.context())) CHECK(each.severity != Severity::error);
}

// ---------------------------------------------------------------------------------------------

TEST_CASE("doctor: beside a running instance it says who runs, and takes nothing away from it") {
  const World world;
  CHECK(heads(check_lock(world.context())) == Heads{});
  const auto lock = host::DataLock::acquire(world.plan.pod.data_dir);
  REQUIRE(lock);
  const Finding found = only(check_lock(world.context()));
  CHECK(found.severity == Severity::note);
  CHECK(has(found.what, fmt::format("arizuko-init with pid {} on host ", ::getpid())));
  CHECK_FALSE(host::DataLock::acquire(world.plan.pod.data_dir));
}

TEST_CASE("doctor: after it looked, an instance can start") {
  const World world;
  {
    const auto lock = host::DataLock::acquire(world.plan.pod.data_dir);
  }
  CHECK(heads(check_lock(world.context())) == Heads{});
  CHECK(host::DataLock::acquire(world.plan.pod.data_dir));
}

TEST_CASE("doctor: an instance of another host on the volume is an error (T25)") {
  const World world;
  const std::string path =
      world.write("data/.arizuko-init/lock", "pid 7\nhost arizuko-old\nstart 2026-11-22T20:39:00Z\n");
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(::flock(file, LOCK_EX | LOCK_NB) == 0);
  const Finding found = only(check_lock(world.context()));
  ::close(file);
  CHECK(found.severity == Severity::error);
  CHECK(has(found.what, "pid 7 on host arizuko-old since 2026-11-22T20:39:00Z holds this data directory"));
}

// ---------------------------------------------------------------------------------------------

TEST_CASE("doctor: a .env that cannot be read is an error, one that others read a warning (T15)") {
  World world;
  ::chmod((world.root + "/data/.env").c_str(), 0644);
  const Finding open = only(check_dotenv(world.context()));
  CHECK(open.severity == Severity::warning);
  CHECK(open.fix == "chmod 0600 " + world.root + "/data/.env");
  ::chmod((world.root + "/data/.env").c_str(), 0600);
  world.become_a_stranger();
  CHECK(heads(check_dotenv(world.context())) == Heads{"error dotenv"});
}

TEST_CASE("doctor: a .env of another user that can be read is a warning") {
  World world;
  world.user = {0, 0, {}};
  ::chown((world.root + "/data/.env").c_str(), ::geteuid() == 0 ? 1000 : ::geteuid(), static_cast<gid_t>(-1));
  CHECK(has(only(check_dotenv(world.context())).what, "it belongs to another user"));
}

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

TEST_CASE("doctor: a program that is not there, or not executable, is found") {
  World world;
  world.remove("bin/proxyd");
  CHECK(only(check_programs(world.context())).what == "proxyd is not in " + world.root + "/bin");
  world.write("bin/proxyd", "#!/bin/sh\n", 0644);
  CHECK(has(only(check_programs(world.context())).what, "/bin, but may not be run"));
  CHECK(has(only(check_programs(world.context())).fix, "chmod"));
  world.write("bin/proxyd", "#!/bin/sh\n", 0755);
  world.remove("bin/gated");
  const Finding found = only(check_programs(world.context()));
  CHECK(found.severity == Severity::error);  // essential
  CHECK(found.key == "service.gated.command");
  CHECK(found.where.line > 0);
}

TEST_CASE("doctor: a program whose loader or interpreter is missing is found without running it (T39)") {
  const World world;
  world.write("bin/proxyd", "#!/nowhere/sh\nexit 0\n", 0755);
  CHECK(has(only(check_programs(world.context())).what, "interpreter /nowhere/sh is not in this image"));
  // This very program, with the path of its loader overwritten: as one that was built for musl.
  std::ifstream own("/proc/self/exe", std::ios::binary);
  std::string binary((std::istreambuf_iterator<char>(own)), {});
  const std::size_t loader = binary.find("/lib64/ld-linux-x86-64.so.2");
  REQUIRE(loader != binary.npos);
  binary.replace(loader, 27, std::string("/lib/ld-musl-planted.so.1\0\0", 27));
  world.write("bin/proxyd", binary, 0755);
  const Finding found = only(check_programs(world.context()));
  CHECK_MESSAGE(has(found.what, "its loader /lib/ld-musl-planted.so.1 is not"), full(found));
  CHECK(has(found.why, "T39"));
}

TEST_CASE("doctor: a program for another CPU, or one of which only a part is there, is found") {
  const World world;
  world.write("bin/proxyd", "", 0755);
  CHECK(has(only(check_programs(world.context())).what, "ENOEXEC"));
  std::ifstream own("/proc/self/exe", std::ios::binary);
  std::string binary((std::istreambuf_iterator<char>(own)), {});
  world.write("bin/proxyd", binary, 0755);
  CHECK(heads(check_programs(world.context())) == Heads{});
  binary[18] = '\x15', binary[19] = 0;  // e_machine: ppc64
  world.write("bin/proxyd", binary, 0755);
  if (!std::filesystem::exists("/proc/sys/fs/binfmt_misc/register"))
    CHECK(has(only(check_programs(world.context())).what, "ENOEXEC"));
}

TEST_CASE("doctor: the program of a service that is off is not looked for") {
  World world;
  world.remove("bin/teled");
  CHECK(heads(check_programs(world.context())) == Heads{});
  world.set("TELEGRAM_BOT_TOKEN", "planted");
  CHECK(heads(check_programs(world.context())) == Heads{"warning programs"});
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

TEST_CASE("doctor: an ordinary word that is some variable's value stays in what docker said") {
  World world;
  world.set("CONTAINER_BACKEND", "docker");
  world.write("bin/docker", "#!/bin/sh\necho 'Cannot connect to the docker daemon' >&2\nexit 1\n", 0755);
  CHECK(only(check_docker(world.context())).what ==
        "`docker info` ended with 1: Cannot connect to the docker daemon");
}

TEST_CASE(
    "doctor: agents that are switched off, or fail again and again, are said with since and why (T40)") {
  World world;
  CHECK(heads(check_agents(world.context())) == Heads{});
  world.set("CONTAINER_BACKEND", "none");
  CHECK(only(check_agents(world.context())).what == "it is none: no agent can run");
  world.set("CONTAINER_BACKEND", "kubernetes");
  const auto ledger = [](int failures) {
    return fmt::format(R"({{"backend":"kubernetes","groups":[{{"group":"main","failures":{},"since":1000,)"
                       R"("reason":"403 \u001b[31mForbidden"}}]}})",
                       failures);
  };
  world.write("data/.arizuko-init/agents.json", ledger(2));
  CHECK(heads(check_agents(world.context())) == Heads{});
  world.write("data/.arizuko-init/agents.json", ledger(3));
  const auto found = only(check_agents(world.context()));
  CHECK(found.key == "main");
  CHECK(found.what ==
        "Agents of group main have failed 3 times in a row for more than a year: 403  [31mForbidden.");
}

TEST_CASE("doctor: docker that is absent, fails, dies or hangs is an error (0.8)") {
  World world;
  world.write("bin/docker", "#!/bin/sh\n[ \"$1\" = info ] && exit 0\nexit 9\n", 0755);
  CHECK(heads(check_docker(world.context())) == Heads{});
  world.write("bin/docker",
              "#!/bin/sh\necho 'Client: 28'; echo 'Cannot connect with planted-secret' >&2\nexit 1\n", 0755);
  CHECK(only(check_docker(world.context())).what ==
        "`docker info` ended with 1: Cannot connect with [redacted:CHANNEL_SECRET]");
  world.write("bin/docker", "#!/bin/sh\nkill -9 $$\n", 0755);
  CHECK(only(check_docker(world.context())).what == "`docker info` ended by signal 9");
  world.write("bin/docker", "#!/bin/sh\n/bin/sleep 600 &\nwait\n", 0755);
  Context impatient = world.context();
  impatient.docker_patience = std::chrono::milliseconds(200);
  CHECK(only(check_docker(impatient)).what == "`docker info` did not answer within 200 ms");
  world.remove("bin/docker");
  CHECK(only(check_docker(world.context())).what == "there is no docker command in " + world.root + "/bin");
}

TEST_CASE("doctor: nothing that docker starts outlives it, in its session or out of it") {
  const World world;
  const std::string pids = world.root + "/pids";
  world.write("bin/docker",
              "#!/bin/sh\n/bin/sleep 777 &\necho $! >>" + pids +
                  "\n/usr/bin/setsid -f /usr/bin/env -i /bin/sh -c 'echo $$ >>" + pids +
                  "; exec /bin/sleep 777'\nwhile [ $(/usr/bin/wc -l <" + pids +
                  ") -lt 2 ]; do :; done\nexit 0\n",
              0755);
  CHECK(heads(check_docker(world.context())) == Heads{});
  std::ifstream left(pids);
  int count = 0;
  for (pid_t pid = 0; left >> pid; ++count) CHECK(::kill(pid, 0) != 0);
  CHECK(count == 2);
}

TEST_CASE("doctor: docker that leaves a child with its output open does not hold it up") {
  const World world;
  world.write("bin/docker", "#!/bin/sh\n/bin/sleep 5 &\nexit 0\n", 0755);
  const auto begun = std::chrono::steady_clock::now();
  CHECK(heads(check_docker(world.context())) == Heads{});
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(4));
}

// ---------------------------------------------------------------------------------------------

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

TEST_CASE(
    "doctor: what a dead run left alive is an error that names it, and no child of the running instance") {
  const World world;
  CHECK(heads(check_last_run(world.context())) == Heads{});
  const std::string mark = host::run_mark("gated", 1, host::instance_mark(world.plan.pod.data_dir));
  const pid_t left = ::fork();
  if (left == 0) {
    const rlimit64 limit{host::limit_mark(mark), RLIM64_INFINITY};
    ::setrlimit64(RLIMIT_RTTIME, &limit);
    ::pause();
    ::_exit(0);
  }
  while (!host::mark_of(left)) ::usleep(1000);
  const Finding found = only(check_last_run(world.context()));
  CHECK(found.severity == Severity::error);
  CHECK(has(found.what, fmt::format("(pid {})", left)));
  {
    const auto lock = host::DataLock::acquire(world.plan.pod.data_dir);  // by this process, whose child it is
    CHECK(heads(check_last_run(world.context())) == Heads{});
  }
  ::kill(left, SIGKILL);
  ::waitpid(left, nullptr, 0);
}

TEST_CASE("doctor: an instance whose lock file a daemon deleted still runs here") {
  const World world;
  const auto lock = host::DataLock::acquire(world.plan.pod.data_dir);
  ::unlink((world.plan.pod.data_dir + "/.arizuko-init/lock").c_str());
  CHECK_FALSE(heads(check_lock(world.context())) == Heads{});
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
  for (const char* name :
       {"time", "Telegram", "WEB", "te_e", "%", "x", "anon", "Local", "user", "delegate", "escal"}) {
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
  world.set("WHISPER_BASE_URL", fmt::format("http://localhost:{}/", world.plan.services[1].port));
  CHECK(has(only(check_whisper(world.context())).what, "it points at proxyd"));
  world.snapshot.values.erase("WHISPER_BASE_URL");
  world.load("[service.gated]\nenv.WHISPER_BASE_URL = \"${WHISPER_BASE_URL}\"\n");
  CHECK(has(only(check_whisper(world.context())).why, "localhost:8080"));
  world.set("VOICE_TRANSCRIPTION_ENABLED", "false");
  CHECK(heads(check_whisper(world.context())) == Heads{});
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

TEST_CASE("doctor: no value of the environment is part of a finding") {
  World world;
  for (const char* name :
       {"CHANNEL_SECRET", "ASSISTANT_NAME", "TELEGRAM_BOT_TOKEN", "AUTH_SECRET", "ARIZUKO_DEV"})
    world.set(name, "planted value: " + std::string(name));
  world.write("bin/docker", "#!/bin/sh\necho \"error: $CHANNEL_SECRET\"\nexit 1\n", 0755);
  world.remove("bin/teled");
  for (const Finding& each : run_all(world.context())) CHECK_FALSE(has(full(each), "planted value"));
}
