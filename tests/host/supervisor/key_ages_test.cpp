#include "host/supervisor/key_ages.hpp"

#include <doctest/doctest.h>

using namespace arizuko;
using namespace arizuko::host;

namespace {

env::SnapshotPtr values(std::map<std::string, std::string> texts) {
  env::Snapshot snapshot;
  for (auto& [name, text] : texts) snapshot.values[name] = {text, "test"};
  return std::make_shared<const env::Snapshot>(std::move(snapshot));
}

engine::Instant at(int seconds) { return engine::Instant(std::chrono::seconds(seconds)); }

}  // namespace

TEST_CASE("key ages: a key keeps its age through generations that do not change it") {
  KeyAges ages;
  ages.note(values({{"A", "1"}, {"B", "1"}}), at(10));
  ages.note(values({{"A", "1"}, {"B", "2"}}), at(20));
  CHECK(ages.since("A") == at(10));
  CHECK(ages.since("B") == at(20));
}

TEST_CASE("key ages: a key that comes back is as old as its return") {
  KeyAges ages;
  ages.note(values({{"A", "1"}}), at(10));
  ages.note(values({}), at(20));
  CHECK_FALSE(ages.since("A"));
  ages.note(values({{"A", "1"}}), at(30));
  CHECK(ages.since("A") == at(30));
}

TEST_CASE("key ages: no values at all have no age, and the same ones do not get younger") {
  KeyAges ages;
  ages.note(nullptr, at(1));
  CHECK_FALSE(ages.since("A"));
  const env::SnapshotPtr same = values({{"A", "1"}});
  ages.note(same, at(10));
  ages.note(same, at(20));
  CHECK(ages.since("A") == at(10));
}
