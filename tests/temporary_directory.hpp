// A directory of the test's own, gone with it. Every test that needs files takes this one.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

#include <stdlib.h>
#include <sys/stat.h>

#include <doctest/doctest.h>

namespace arizuko::tests {

class TemporaryDirectory {
 public:
  /// `below`: where it is made; /tmp may be a file system with properties of its own.
  explicit TemporaryDirectory(const std::string& below = "/tmp") {
    path_ = below + "/arizuko-test-XXXXXX";
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  /// The path of `name` in it.
  std::string path(std::string_view name) const { return path_ + '/' + std::string(name); }
  std::string operator/(std::string_view name) const { return path(name); }

  /// Makes the file, or replaces what it holds; returns its path.
  std::string write(std::string_view name, std::string_view text, mode_t mode = 0600) const {
    const std::string file = path(name);
    std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
    ::chmod(file.c_str(), mode);
    return file;
  }
  /// What the file holds; nothing when it cannot be read.
  std::string read(std::string_view name) const {
    std::ifstream file(path(name), std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

 private:
  std::string path_;
};

}  // namespace arizuko::tests
