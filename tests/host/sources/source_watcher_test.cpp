// The source watcher: directories that come and go, .env files, lost watches, its owner.
#include "source_watcher_owner.hpp"

namespace {

void save_by_rename(const std::string& path, const std::string& text) {
  write_text(path + ".new", text);
  fs::rename(path + ".new", path);
}

}  // namespace

// --- directories that come and go ------------------------------------------------------------------

TEST_CASE("source watcher: a volume that appears late is told, however deep its path is missing") {
  const Scratch folder;
  Owner owner({directory(folder / "run/pod/secrets")});
  fs::create_directory(folder / "run");
  owner.settle();
  CHECK(owner.all_causes() == "");  // there is still no such source
  KubeletVolume volume(folder / "run/pod/secrets");
  volume.set({{"A", "1"}});
  CHECK(owner.sees({{"A", "1"}}));
  CHECK(owner.causes.front() == "dir:" + volume.path() + ": appeared");
  volume.set("A", "2");
  CHECK(owner.sees({{"A", "2"}}));
}

TEST_CASE("source watcher: a directory that is removed and made again is watched again") {
  const Scratch folder;
  fs::create_directory(folder / "secrets");
  write_text(folder / "secrets/A", "1");
  Owner owner({directory(folder / "secrets")});
  for (int i = 2; i < 6; ++i) {
    fs::remove_all(folder / "secrets");
    if (i % 2 == 0) {  // seen to be gone, or gone and back between two looks
      CHECK(owner.sees({}));
      CHECK(owner.causes.back() == "dir:" + folder / "secrets" + ": is gone");
    }
    fs::create_directory(folder / "secrets");
    write_text(folder / "secrets/A", std::to_string(i));
    CHECK(owner.sees({{"A", std::to_string(i)}}));
    write_text(folder / "secrets/A", std::to_string(i) + "b");
    CHECK(owner.sees({{"A", std::to_string(i) + "b"}}));
  }
}

TEST_CASE("source watcher: a directory that is renamed away and replaced is watched again") {
  const Scratch folder;
  fs::create_directory(folder / "secrets");
  write_text(folder / "secrets/A", "1");
  fs::create_directory(folder / "next");
  write_text(folder / "next/A", "2");
  Owner owner({directory(folder / "secrets")});
  fs::rename(folder / "secrets", folder / "former");
  fs::rename(folder / "next", folder / "secrets");
  CHECK(owner.sees({{"A", "2"}}));
  owner.forget();
  write_text(folder / "former/A", "nobody's");
  owner.settle();
  CHECK(owner.all_causes() == "");
  write_text(folder / "secrets/A", "3");
  CHECK(owner.sees({{"A", "3"}}));
}

TEST_CASE("source watcher: a link on the way that is turned to another directory is told") {
  const Scratch folder;
  for (const char* release : {"1", "2"}) {
    fs::create_directories(folder / release + "/etc/secrets");
    write_text(folder / release + "/etc/secrets/A", release);
    write_text(folder / release + "/etc/.env", "B="s + release);
  }
  fs::create_symlink("1", folder / "current");
  Owner owner({directory(folder / "current/etc/secrets"), dotenv(folder / "current/etc/.env")});
  fs::create_symlink("2", folder / "current.new");
  fs::rename(folder / "current.new", folder / "current");
  CHECK(owner.sees({{"A", "2"}, {"B", "2"}}));
  write_text(folder / "2/etc/.env", "B=3");
  CHECK(owner.sees({{"A", "2"}, {"B", "3"}}));
}

TEST_CASE("source watcher: a key that is a link to a file elsewhere is followed live") {
  const Scratch folder;
  fs::create_directories(folder / "secrets");
  fs::create_directories(folder / "vault/v1");
  write_text(folder / "vault/v1/token", "1");
  fs::create_symlink("v1", folder / "vault/current");
  fs::create_symlink("../vault/current/token", folder / "secrets/TOKEN");
  Owner owner({directory(folder / "secrets")});
  write_text(folder / "vault/v1/token", "2");
  CHECK(owner.sees({{"TOKEN", "2"}}));
  fs::create_directories(folder / "vault/v2");
  write_text(folder / "vault/v2/token", "3");
  fs::create_symlink("v2", folder / "vault/new");
  fs::rename(folder / "vault/new", folder / "vault/current");
  CHECK(owner.sees({{"TOKEN", "3"}}));
  write_text(folder / "vault/v2/token", "4");
  CHECK(owner.sees({{"TOKEN", "4"}}));
}

TEST_CASE("source watcher: links that go in a circle are waited out, not followed for ever") {
  const Scratch folder;
  fs::create_symlink("b", folder / "a");
  fs::create_symlink("a", folder / "b");
  Owner owner({directory(folder / "a")});
  fs::remove(folder / "b");
  fs::create_directory(folder / "b");
  write_text(folder / "b/A", "1");
  CHECK(owner.sees({{"A", "1"}}));
}

TEST_CASE("source watcher: an unmounted volume is told, and what is mounted later is found by comparison") {
  const Scratch folder;
  fs::create_directory(folder / "secrets");
  write_text(folder / "secrets/A", "below");
  if (::mount("none", (folder / "secrets").c_str(), "tmpfs", 0, "size=64k") != 0) {
    MESSAGE("skipped: may not mount here");
    return;
  }
  write_text(folder / "secrets/A", "1");
  Owner owner({directory(folder / "secrets")});
  CHECK(::umount((folder / "secrets").c_str()) == 0);
  CHECK(owner.sees({{"A", "below"}}));

  owner.watcher.reset();
  Owner second({directory(folder / "secrets")}, comparing);
  REQUIRE(::mount("none", (folder / "secrets").c_str(), "tmpfs", 0, "size=64k") == 0);
  CHECK(second.sees({}));
  second.forget();
  write_text(folder / "secrets/A", "2");
  CHECK(second.sees({{"A", "2"}}));
  CHECK(::umount((folder / "secrets").c_str()) == 0);
}

TEST_CASE("source watcher: in a plain directory only what the reader reads is told") {
  const Scratch folder;
  fs::create_directory(folder / "secrets");
  write_text(folder / "secrets/A", "1");
  Owner owner({directory(folder / "secrets")});
  write_text(folder / "secrets/.A.swp", "x");
  fs::create_directory(folder / "secrets/below");
  owner.settle();
  CHECK(owner.all_causes() == "");
  save_by_rename(folder / "secrets/A", "2");
  CHECK(owner.sees({{"A", "2"}}));
  fs::remove(folder / "secrets/A");
  CHECK(owner.sees({}));
}

TEST_CASE("source watcher: causes hold no name that could be anything") {
  const Scratch folder;
  fs::create_directory(folder / "secrets");
  Owner owner({directory(folder / "secrets")});
  write_text(folder / "secrets/a\n\x1b[2Jb", "1");
  CHECK(owner.until([&] { return !owner.causes.empty(); }));
  CHECK(owner.causes.front().starts_with("dir:" + folder / "secrets" + ": an entry was "));
}

// --- dotenv ------------------------------------------------------------------------------------------

TEST_CASE("source watcher: a dotenv file is told when it is saved by rename, in place, removed and made") {
  const Scratch folder;
  write_text(folder / ".env", "A=1\n");
  Owner owner({dotenv(folder / ".env")});
  save_by_rename(folder / ".env", "A=2\n");
  CHECK(owner.sees({{"A", "2"}}));
  CHECK(owner.causes == std::vector<std::string>{"dotenv:" + folder / ".env" + ": an entry was placed"});
  write_text(folder / ".env", "A=3\n");
  CHECK(owner.sees({{"A", "3"}}));
  save_by_rename(folder / ".env", "A=4\n");
  CHECK(owner.sees({{"A", "4"}}));
  fs::remove(folder / ".env");
  CHECK(owner.sees({}));
  write_text(folder / ".env", "A=5\n");
  CHECK(owner.sees({{"A", "5"}}));
}

TEST_CASE("source watcher: a dotenv file that an editor moves away and writes anew is one call") {
  const Scratch folder;
  write_text(folder / ".env", "A=1\n");
  Owner owner({dotenv(folder / ".env")});
  fs::rename(folder / ".env", folder / ".env~");
  write_text(folder / ".env", "A=2\n");
  CHECK(owner.sees({{"A", "2"}}));
  owner.settle();
  CHECK(owner.causes.size() == 1);
}

TEST_CASE("source watcher: a file that is still being written is given time") {
  const Scratch folder;
  SourceRhythm rhythm = quick;
  rhythm.longest = 5s;
  Owner owner({dotenv(folder / ".env")}, rhythm);
  {
    std::ofstream slow(folder / ".env");
    slow << "A=" << std::flush;
    owner.io.restart();
    owner.io.run_for(5 * rhythm.debounce);
    CHECK(owner.all_causes() == "");
    slow << "1\n";
  }
  CHECK(owner.sees({{"A", "1"}}));
  CHECK(owner.causes.size() == 1);
}

TEST_CASE("source watcher: nothing is told when nothing happened, or only beside the dotenv file") {
  const Scratch folder;
  write_text(folder / ".env", "A=1\n");
  write_text(folder / "database", "");
  Owner owner({dotenv(folder / ".env")});
  owner.settle();
  write_text(folder / "database", "x");
  write_text(folder / ".env.new", "A=2\n");
  fs::remove(folder / "database");
  owner.settle();
  owner.read();
  owner.settle();
  CHECK(owner.all_causes() == "");
}

TEST_CASE("source watcher: a dotenv file's directory may appear late, vanish and come back") {
  const Scratch folder;
  Owner owner({dotenv(folder / "data/instance/.env")});
  for (int i = 0; i < 3; ++i) {
    fs::create_directories(folder / "data/instance");
    write_text(folder / "data/instance/.env", "A=" + std::to_string(i));
    CHECK(owner.sees({{"A", std::to_string(i)}}));
    fs::remove_all(folder / "data");
    CHECK(owner.sees({}));
  }
}

// --- the second net ------------------------------------------------------------------------------------

TEST_CASE("source watcher: a change that makes no event is found by the slow comparison, once") {
  const Scratch folder;
  fs::create_directories(folder / "secrets");
  fs::create_directories(folder / "elsewhere");
  write_text(folder / "elsewhere/A", "1");
  fs::create_hard_link(folder / "elsewhere/A", folder / "secrets/A");  // written there, nothing happens here
  Owner owner({directory(folder / "secrets")}, comparing);
  write_text(folder / "elsewhere/A", "22");
  CHECK(owner.sees({{"A", "22"}}));
  CHECK(owner.causes.front() == "dir:" + folder / "secrets" + ": found changed by the slow comparison");
  owner.io.restart();
  owner.io.run_for(5 * comparing.compare);
  CHECK(owner.causes.size() == 1);
}

TEST_CASE("source watcher: a change told by an event is not told again by the slow comparison") {
  const Scratch folder;
  KubeletVolume volume(folder / "secrets");
  volume.set({{"A", "1"}});
  SourceRhythm rhythm = comparing;
  rhythm.compare = 500ms;
  Owner owner({directory(volume.path())}, rhythm);
  volume.set("A", "2");
  CHECK(owner.sees({{"A", "2"}}));
  owner.io.restart();
  owner.io.run_for(2 * rhythm.compare);
  CHECK(owner.causes.size() == 1);
}

TEST_CASE("source watcher: without descriptors it says so, compares instead, and recovers") {
  const Scratch folder;
  write_text(folder / ".env", "A=1\n");
  write_text(folder / ".env.new", "A=22\n");
  Owner owner({}, comparing);
  owner.sources = {dotenv(folder / ".env")};
  std::string trouble;
  std::size_t calls = 0;
  {
    const NoDescriptors none;
    owner.watcher->set_sources(owner.sources);
    trouble = owner.watcher->trouble();
    owner.io.restart();
    owner.io.run_for(5 * comparing.compare_in_trouble);
    calls = owner.causes.size();
    fs::rename(folder / ".env.new", folder / ".env");
  }
  CHECK(
      trouble ==
      "cannot watch the sources: the limit of inotify instances or of this process's descriptors is reached "
      "(sysctl fs.inotify.max_user_instances, ulimit -n); the sources are compared every 0.01 s instead");
  CHECK(calls == 0);
  CHECK(owner.sees({{"A", "22"}}));
  CHECK(owner.until([&] { return owner.watcher->trouble().empty(); }));
  CHECK(owner.causes.front().ends_with("found changed by the slow comparison"));
}

TEST_CASE("source watcher: a directory that may not be listed is said, compared instead, and recovers") {
  const Scratch folder;
  write_text(folder / ".env", "A=1\n");
  ::chmod((folder / ".env").c_str(), 0644);
  ::chmod(folder.path().c_str(), 0311);
  const Nobody nobody;
  Owner owner({dotenv(folder / ".env")}, comparing);
  CHECK(owner.watcher->trouble() == "cannot watch " + folder.path() +
                                        ": this uid may not list it; the sources are compared every 0.01 s "
                                        "instead");
  nobody.pause([&] { save_by_rename(folder / ".env", "A=22\n"), ::chmod((folder / ".env").c_str(), 0644); });
  CHECK(owner.sees({{"A", "22"}}));
  nobody.pause([&] { ::chmod(folder.path().c_str(), 0755); });
  CHECK(owner.until([&] { return owner.watcher->trouble().empty(); }));
}

TEST_CASE("source watcher: lost events are made good") {
  // inotify(7): the kernel's default; the file is missing in some sandboxes.
  int limit = 16384;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> limit;
  if (limit <= 0) limit = 16384;
  const Scratch folder;
  KubeletVolume volume(folder / "secrets");
  volume.set({{"A", "1"}});
  Owner owner({directory(volume.path())});
  // Equal neighbours are merged by the kernel: two names in turn.
  write_text(folder / "secrets/.a", "");
  write_text(folder / "secrets/.b", "");
  for (int i = 0; i <= limit / 2 + 1; ++i) {
    ::chmod((folder / "secrets/.a").c_str(), 0600);
    ::chmod((folder / "secrets/.b").c_str(), 0600);
  }
  volume.set("A", "2");
  CHECK(owner.sees({{"A", "2"}}));
  CHECK(owner.all_causes().contains("events were lost"));
  volume.set("A", "3");
  CHECK(owner.sees({{"A", "3"}}));
}

TEST_CASE("source watcher: directories that come and go while watches are set up: the last content is seen") {
  for (int i = 0; i < 8; ++i) {
    CAPTURE(i);
    const Scratch folder;
    Owner owner({directory(folder / "a/b/c/secrets"), dotenv(folder / "a/b/.env")});
    std::thread writer([&] {
      for (int round = 0; round < 20; ++round) {
        fs::remove_all(folder / "a");
        fs::create_directories(folder / "a/b/c/secrets");
        write_text(folder / "a/b/c/secrets/A", std::to_string(round));
        write_text(folder / "a/b/.env", "B=" + std::to_string(round));
      }
    });
    CHECK(owner.sees({{"A", "19"}, {"B", "19"}}));
    writer.join();
  }
}

TEST_CASE("source watcher: a directory replaced behind a long queue of another's events is told") {
  const Scratch folder;
  fs::create_directory(folder / "busy");
  fs::create_directory(folder / "secrets");
  write_text(folder / "secrets/A", "1");
  Owner owner({directory(folder / "busy"), directory(folder / "secrets")});
  write_text(folder / "busy/B", "2");
  write_text(folder / "busy/C", "3");
  for (int i = 0; i < 5000; ++i) {  // more than is read in one go, less than the queue holds
    ::chmod((folder / "busy/B").c_str(), 0600);
    ::chmod((folder / "busy/C").c_str(), 0600);
  }
  fs::remove_all(folder / "secrets");
  fs::create_directory(folder / "secrets");
  write_text(folder / "secrets/A", "4");
  CHECK(owner.sees({{"A", "4"}, {"B", "2"}, {"C", "3"}}));
  CHECK(owner.all_causes().contains("dir:" + folder / "secrets" + ": was replaced"));
  write_text(folder / "secrets/A", "5");
  CHECK(owner.sees({{"A", "5"}, {"B", "2"}, {"C", "3"}}));
}

// --- its owner -------------------------------------------------------------------------------------------

TEST_CASE("source watcher: without files nothing is open and nothing wakes up") {
  const auto descriptors = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  asio::io_context io{1};
  const asio::steady_timer reactor(io);  // an io_context opens its own at the first use
  const auto before = descriptors();
  SourceWatcher watcher(io, {{.kind = Kind::environment, .path = {}}}, [](std::string) {});
  CHECK(descriptors() == before);
  CHECK(io.run() == 0);  // no work: returns at once
}

TEST_CASE("source watcher: new sources replace the old ones") {
  const Scratch folder;
  write_text(folder / ".env", "A=1\n");
  write_text(folder / "other", "A=2\n");
  Owner owner({dotenv(folder / ".env")});
  owner.sources = {dotenv(folder / "other")};
  owner.watcher->set_sources(owner.sources);
  write_text(folder / ".env", "A=1b\n");
  owner.settle();
  CHECK(owner.all_causes() == "");
  write_text(folder / "other", "A=2b\n");
  CHECK(owner.sees({{"A", "2b"}}));
  owner.watcher->set_sources({});
  owner.forget();
  write_text(folder / "other", "A=2c\n");
  owner.io.restart();
  CHECK(owner.io.run_for(1s) <= 3);  // cancelled waits: then there is no work left
  CHECK(owner.all_causes() == "");
}

TEST_CASE(
    "source watcher: what is released tells nothing and leaves the kernel no watch to forget at the end") {
  const auto watches = [] {
    std::size_t count = 0;
    for (const auto& each : fs::directory_iterator("/proc/self/fdinfo")) {
      std::ifstream info(each.path());
      for (std::string line; std::getline(info, line);) count += line.starts_with("inotify wd:") ? 1 : 0;
    }
    return count;
  };
  const Scratch folder;
  write_text(folder / ".env", "A=1\n");
  const std::size_t before = watches();
  Owner owner({dotenv(folder / ".env")});
  CHECK(watches() > before);
  write_text(folder / ".env", "A=2\n");  // seen, and not told yet
  owner.watcher->release();
  CHECK(watches() == before);
  write_text(folder / ".env", "A=3\n");
  owner.watcher->set_sources(owner.sources);
  owner.settle();
  CHECK(owner.all_causes() == "");
}

TEST_CASE("source watcher: it may be destroyed at any time, also by the call itself") {
  const Scratch folder;
  write_text(folder / ".env", "A=1\n");
  {
    Owner owner({dotenv(folder / ".env")});
    owner.on_change = [&] { owner.watcher.reset(); };
    write_text(folder / ".env", "A=2\n");
    CHECK(owner.sees({{"A", "2"}}));
    CHECK_FALSE(owner.watcher);
    owner.settle();
  }
  {
    Owner owner({dotenv(folder / ".env")});
    write_text(folder / ".env", "A=3\n");
    owner.io.run_one_for(1s);  // the event; the call is still to come
    owner.watcher.reset();
    owner.settle();
    CHECK(owner.all_causes() == "");
  }
  {
    Owner owner({dotenv(folder / ".env")});
    owner.on_change = [&] { owner.watcher->set_sources(owner.sources); };
    write_text(folder / ".env", "A=4\n");
    CHECK(owner.sees({{"A", "4"}}));
    write_text(folder / ".env", "A=5\n");
    CHECK(owner.sees({{"A", "5"}}));
  }
}

TEST_CASE("source watcher: it is told within a second of the switch, with the program's own rhythm") {
  const Scratch folder;
  KubeletVolume volume(folder / "secrets");
  volume.set({{"A", "1"}});
  Owner owner({directory(volume.path())}, SourceRhythm{});
  volume.set("A", "2");
  const auto switched = Clock::now();
  CHECK(owner.sees({{"A", "2"}}));
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - switched);
  MESSAGE("told ", took.count(), " ms after the switch");
  CHECK(took < 1s);
}
