#include "host/supervisor/child_texts.hpp"

#include <doctest/doctest.h>

#include "arizuko/env/redaction.hpp"

using namespace arizuko;
using namespace arizuko::host;

namespace {

constexpr uid_t us = 1000;

std::string shown(env::Foreign text) { return env::Redactor().wash(std::move(text)); }

}  // namespace

TEST_CASE("child texts: five leftovers are named, further ones counted") {
  CHECK(names_of({}).empty());
  CHECK(shown(names_of({{17, "sleep"}, {18, "sh"}})) == "sleep (pid 17), sh (pid 18)");
  const std::vector<ProcessInfo> seven(7, {5, "x"});
  CHECK(shown(names_of(seven)).ends_with("x (pid 5) and 2 more"));
}

TEST_CASE("child texts: last words are cut between characters, and the cut is marked") {
  CHECK(shown(as_last_words("panic: no database")) == "panic: no database");
  std::string long_line;
  for (int i = 0; i < 150; ++i) long_line += "ä";  // 300 bytes
  const std::string words = shown(as_last_words(long_line + "b"));
  CHECK(words.size() == 203);
  CHECK(words.ends_with("ä..."));
}

TEST_CASE("child texts: a notification of another run is not taken, and it is said whose it was") {
  const auto verdict = judge({.sender = 7, .ready = true}, Sender::another_run, "gated", {}, us);
  CHECK_FALSE(verdict.is_taken);
  CHECK(verdict.remark.contains("from gated (pid 7)"));
}

TEST_CASE("child texts: a sender who is gone is believed by its user") {
  plan::Service service;
  const auto by = [&](uid_t uid) {
    return judge({.sender = 7, .uid = uid}, Sender::unknown, "", service, us).is_taken;
  };
  CHECK(by(us));
  CHECK(by(0));
  CHECK_FALSE(by(1001));
  service.uid = 1001;
  CHECK(by(1001));
}

TEST_CASE("child texts: a notification that was cut is taken, and that is said") {
  const auto verdict = judge({.ready = true, .left_out = 12}, Sender::itself, "", {}, us);
  CHECK(verdict.is_taken);
  CHECK(verdict.remark.starts_with("12 bytes"));
}
