// The source watcher and a mounted Secret: everything that a kubelet does to the volume.
#include "source_watcher_owner.hpp"

// --- the kubelet's layout ------------------------------------------------------------------------

TEST_CASE(
    "source watcher: a changed value, an added and a removed key of a Secret are told, in both orders") {
  with_each_order([](KubeletOrder order) {
    const Scratch folder;
    KubeletVolume volume(folder / "secrets", order);
    volume.set({{"A", "1"}, {"B", "2"}});
    Owner owner({directory(volume.path())});
    CHECK(owner.watcher->trouble().empty());

    volume.set("A", "1b");
    CHECK(owner.sees({{"A", "1b"}, {"B", "2"}}));
    CHECK(owner.causes.front() == "dir:" + volume.path() + ": ..data was switched");
    volume.set("C", "3");
    CHECK(owner.sees({{"A", "1b"}, {"B", "2"}, {"C", "3"}}));
    volume.remove("B");
    CHECK(owner.sees({{"A", "1b"}, {"C", "3"}}));
    CHECK(owner.usable);
  });
}

TEST_CASE("source watcher: an optional Secret that is deleted is told, and told again when it comes back") {
  with_each_order([](KubeletOrder order) {
    const Scratch folder;
    KubeletVolume volume(folder / "secrets", order);
    volume.set({{"A", "1"}});
    Owner owner({directory(volume.path())});
    volume.clear();
    CHECK(owner.sees({}));
    CHECK(owner.usable);
    volume.set({{"A", "2"}});
    CHECK(owner.sees({{"A", "2"}}));
  });
}

TEST_CASE("source watcher: an update is one call where its steps follow one another") {
  const Scratch folder;
  KubeletVolume volume(folder / "secrets");
  volume.set({{"A", "1"}});
  Owner owner({directory(volume.path())});
  volume.set({{"B", "2"}});
  CHECK(owner.sees({{"B", "2"}}));
  owner.settle();
  CHECK(owner.causes.size() == 1);
}

TEST_CASE("source watcher: a sync with equal content is no call") {
  const Scratch folder;
  KubeletVolume volume(folder / "secrets");
  volume.set({{"A", "1"}});
  Owner owner({directory(volume.path())});
  volume.set({{"A", "1"}});
  owner.settle();
  CHECK(owner.all_causes() == "");
}

TEST_CASE("source watcher: what the kubelet prepares before the switch is no call") {
  const Scratch folder;
  KubeletVolume volume(folder / "secrets");
  volume.set({{"A", "1"}});
  Owner owner({directory(volume.path())});
  volume.after_each_step([&](KubeletStep step) {
    if (step == KubeletStep::switched) throw Killed{};
    owner.settle();
    CHECK(owner.all_causes() == "");
  });
  CHECK_THROWS_AS(volume.set("A", "2"), Killed);
  CHECK(owner.sees({{"A", "2"}}));
}

TEST_CASE("source watcher: a burst of 20 switches is few calls, and the last content is seen") {
  const Scratch folder;
  KubeletVolume volume(folder / "secrets");
  volume.set({{"A", "0"}});
  Owner owner({directory(volume.path())});
  const auto begin = Clock::now();
  for (int i = 1; i <= 20; ++i) {
    volume.set("A", std::to_string(i));
    owner.io.restart();
    owner.io.run_for(5ms);
  }
  CHECK(owner.sees({{"A", "20"}}));
  owner.settle();
  const auto longest_pauses = (Clock::now() - begin) / quick.longest;
  CHECK(owner.causes.size() <= static_cast<std::size_t>(longest_pauses) + 1);
}

TEST_CASE("source watcher: events that never end are told after the longest time") {
  const Scratch folder;
  KubeletVolume volume(folder / "secrets");
  volume.set({{"A", "0"}});
  SourceRhythm patient = quick;
  patient.debounce = 5s;
  Owner owner({directory(volume.path())}, patient);
  int i = 0;
  const auto begin = Clock::now();
  CHECK(owner.until([&] {
    volume.set("A", std::to_string(++i));
    return !owner.causes.empty();
  }));
  CHECK(Clock::now() - begin < patient.debounce);
}

TEST_CASE("source watcher: after each step of an update a read is one whole generation, in both orders") {
  with_each_order([](KubeletOrder order) {
    const Scratch folder;
    KubeletVolume volume(folder / "secrets", order);
    const Values before{{"A", "1"}, {"B", "1"}, {"OLD", "1"}};
    const Values after{{"A", "2"}, {"B", "2"}, {"NEW", "2"}};
    volume.set(before);
    Owner owner({directory(volume.path())});
    bool switched = false;
    volume.after_each_step([&](KubeletStep step) {
      switched = switched || step == KubeletStep::switched;
      owner.settle();
      if (switched) CHECK(owner.sees(after));
      CHECK(owner.usable);
    });
    volume.set(after);
    CHECK(owner.sees(after));
    for (const Values& read : owner.reads) CHECK((read == before || read == after));
  });
}

TEST_CASE(
    "source watcher: a kubelet killed after any step and started again loses no change, in both orders") {
  with_each_order([](KubeletOrder order) {
    const Values before{{"A", "1"}, {"OLD", "1"}};
    const Values after{{"A", "2"}, {"NEW", "2"}};
    for (int steps = 1;; ++steps) {
      CAPTURE(steps);
      const Scratch folder;
      KubeletVolume volume(folder / "secrets", order);
      volume.set(before);
      Owner owner({directory(volume.path())});
      bool switched = false;
      bool killed = false;
      int left = steps;
      volume.after_each_step([&](KubeletStep step) {
        switched = switched || step == KubeletStep::switched;
        if (--left == 0) throw Killed{};
      });
      try {
        volume.set(after);
      } catch (const Killed&) {
        killed = true;
      }
      if (switched) CHECK(owner.sees(after));
      owner.settle();
      if (!switched) CHECK((owner.reads.empty() || owner.reads.back() == before));
      volume.after_each_step({});
      volume.sync();
      CHECK(owner.sees(after));
      for (const Values& read : owner.reads) CHECK((read == before || read == after));
      if (!killed) break;
    }
  });
}

TEST_CASE("source watcher: a switch without the rename is told too") {
  const Scratch folder;
  KubeletVolume volume(folder / "secrets");
  volume.set({{"A", "1"}});
  Owner owner({directory(volume.path())});
  fs::create_directory(folder / "secrets/..other");
  write_text(folder / "secrets/..other/A", "2");
  fs::remove(folder / "secrets/..data");
  fs::create_symlink("..other", folder / "secrets/..data");
  CHECK(owner.sees({{"A", "2"}}));
}

TEST_CASE("source watcher: what is written in place below ..data is told, also after a switch") {
  const Scratch folder;
  KubeletVolume volume(folder / "secrets");
  volume.set({{"A", "1"}});
  Owner owner({directory(volume.path())});
  fs::permissions(folder / "secrets/..data/A", fs::perms(0600));
  write_text(folder / "secrets/..data/A", "by hand");
  CHECK(owner.sees({{"A", "by hand"}}));
  volume.set("A", "2");
  CHECK(owner.sees({{"A", "2"}}));
  owner.settle();
  fs::permissions(folder / "secrets/..data/A", fs::perms(0600));
  write_text(folder / "secrets/..data/A", "again");
  CHECK(owner.sees({{"A", "again"}}));
}

TEST_CASE("source watcher: a dotenv file that is a key of a Secret is told at the switch") {
  const Scratch folder;
  KubeletVolume volume(folder / "secrets");
  volume.set({{".env", "A=1\n"}});
  Owner owner({dotenv(folder / "secrets/.env")});
  for (int i = 2; i < 5; ++i) {
    volume.set(".env", "A=" + std::to_string(i) + "\n");
    CHECK(owner.sees({{"A", std::to_string(i)}}));
  }
}
