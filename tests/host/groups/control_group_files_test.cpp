#include "host/groups/control_group_files.hpp"

#include <doctest/doctest.h>

using namespace arizuko::host;

namespace {

// As a systemd host, a hybrid one and two kinds of containers show it.
constexpr std::string_view unified =
    "24 31 0:22 / /proc rw,nosuid shared:13 - proc proc rw\n"
    "35 25 0:30 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr std::string_view hybrid =
    "30 25 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755\n"
    "31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "32 30 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
constexpr std::string_view bound = "600 590 0:30 /docker/4f2a /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
constexpr std::string_view blank = "35 25 0:30 / /a\\040group rw - cgroup2 cgroup2 rw\n";
constexpr std::string_view outside = "35 25 0:30 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

}  // namespace

TEST_CASE("groups: a process's group is the line of version 2, among whatever others") {
  CHECK(unified_group("0::/system.slice/x.service\n") == "/system.slice/x.service");
  CHECK(unified_group("9:name=systemd:/a\n4:memory:/b\n0::/c d\n") == "/c d");
  CHECK(unified_group("0::/\n") == "/");
  CHECK_FALSE(unified_group("4:memory:/b\n"));
  CHECK_FALSE(unified_group(""));
  CHECK_FALSE(unified_group("0::\n"));
}

TEST_CASE("groups: the directory of a group is found below the mount that holds it") {
  CHECK(group_directory(unified, "/system.slice/x.service") == "/sys/fs/cgroup/system.slice/x.service");
  CHECK(group_directory(unified, "/") == "/sys/fs/cgroup");
  CHECK(group_directory(hybrid, "/x") == "/sys/fs/cgroup/unified/x");
  CHECK(group_directory(bound, "/docker/4f2a") == "/sys/fs/cgroup");
  CHECK(group_directory(bound, "/docker/4f2a/y") == "/sys/fs/cgroup/y");
  CHECK(group_directory(blank, "/x") == "/a group/x");
}

TEST_CASE("groups: a group that no mount holds has no directory") {
  CHECK_FALSE(group_directory("", "/x"));
  CHECK_FALSE(group_directory("31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", "/x"));
  CHECK_FALSE(group_directory(bound, "/docker/4f2ab"));
  CHECK_FALSE(group_directory(bound, "/elsewhere"));
  CHECK_FALSE(group_directory(outside, "/"));
  CHECK_FALSE(group_directory(unified, "/../x"));
  CHECK_FALSE(group_directory("35 25 - cgroup2", "/x"));
  CHECK_FALSE(group_directory("a - cgroup2 ", "/x"));
}

TEST_CASE("groups: the memory group of version 1 is found in a pod and on a host") {
  const char* of_pod = "9:name=systemd:/x\n4:cpu,memory:/kubepods/pod1/c1\n0::/\n";
  CHECK(memory_group_v1(of_pod) == "/kubepods/pod1/c1");
  CHECK(memory_group_v1("4:memory:/\n") == "/");
  CHECK_FALSE(memory_group_v1("3:memoryless:/x\n0::/\n"));
  const char* mounts =
      "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
      "34 31 0:31 /kubepods/pod1/c1 /sys/fs/cgroup/cpuset ro,nosuid - cgroup cgroup rw,cpuset\n"
      "35 31 0:32 /kubepods/pod1/c1 /sys/fs/cgroup/memory ro,nosuid master:17 - cgroup cgroup rw,cpu,memory\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
  CHECK(memory_directory_v1(mounts, "/kubepods/pod1/c1") == "/sys/fs/cgroup/memory");
  CHECK_FALSE(memory_directory_v1(mounts, "/kubepods/pod2"));
  CHECK(keyed_number("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "oom_kill") == 3);
}

TEST_CASE("groups: numbers are read, and what is none is none") {
  CHECK(single_number("4096\n") == 4096);
  CHECK(single_number("18446744073709551615\n") == 18446744073709551615ULL);
  CHECK_FALSE(single_number("max\n"));
  CHECK_FALSE(single_number("18446744073709551616\n"));
  CHECK_FALSE(single_number("-1\n"));
  CHECK_FALSE(single_number("\n"));
  CHECK_FALSE(single_number(""));
  CHECK(keyed_number("low 0\nhigh 7\nmax 2\noom 1\noom_kill 3\n", "oom_kill") == 3);
  CHECK(keyed_number("populated 1\nfrozen 0\n", "populated") == 1);
  CHECK_FALSE(keyed_number("oom_kill_group 1\n", "oom_kill"));
  CHECK_FALSE(keyed_number("oom_kill\n", "oom_kill"));
}

TEST_CASE("groups: a controller is named by a whole word") {
  CHECK(names_controller("cpuset cpu io memory pids\n", "memory"));
  CHECK(names_controller("pids\n", "pids"));
  CHECK_FALSE(names_controller("cpuset cpu\n", "cpus"));
  CHECK_FALSE(names_controller("\n", "memory"));
}

TEST_CASE("groups: a process belongs to the service whose group it is in or below") {
  CHECK(part_below("/ours/gated", "/ours") == "gated");
  CHECK(part_below("/ours/gated/deeper/still", "/ours") == "gated");
  CHECK(part_below("/gated", "/") == "gated");
  CHECK_FALSE(part_below("/ours", "/ours"));
  CHECK_FALSE(part_below("/", "/"));
  CHECK_FALSE(part_below("/oursgated", "/ours"));
  CHECK_FALSE(part_below("/theirs/gated", "/ours"));
}
