// For tests that only root can do: another uid, another owner.
//
// A test that returns early passes without having looked at anything. Such a test fails instead, in one
// sentence, and scripts/test runs ctest as root.
#pragma once

#include <doctest/doctest.h>

#include <unistd.h>

namespace arizuko::testing {

inline void needs_root() {
  if (::geteuid() != 0)
    FAIL("this test needs root (another uid, another owner): run it by sudo, as scripts/test does");
}

/// Of a thing that this machine has to have for the test to say anything.
inline void needs(bool there, const char* what) {
  if (!there) FAIL("this test says nothing on this machine, which has no " << what);
}

}  // namespace arizuko::testing
