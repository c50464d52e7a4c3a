// What the tests of the process rooms share: waiting with a bound, a scratch folder, small children.
#pragma once

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include <poll.h>
#include <unistd.h>

#include "arizuko/host/process/spawner.hpp"
#include "eventually.hpp"
#include "temporary_directory.hpp"

namespace arizuko::host::testing {

using tests::eventually;
using Scratch = tests::TemporaryDirectory;

inline std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
}

/// By a spawner of its own, which knows the dispositions of this moment.
inline std::expected<pid_t, SpawnError> spawn(const ChildSpec& spec) {
  boost::asio::io_context io{1};
  return Spawner(io).spawn(spec);
}

/// A child that runs a shell script.
inline ChildSpec shell(const std::string& script, std::vector<std::string> environment = {}) {
  ChildSpec spec;
  spec.executable = "/bin/sh";
  spec.argv = {"sh", "-c", script};
  spec.environment = std::move(environment);
  spec.environment.emplace_back("PATH=/usr/local/bin:/usr/bin:/bin");
  spec.cwd = "/";
  return spec;
}

}  // namespace arizuko::host::testing
