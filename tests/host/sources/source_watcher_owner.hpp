// What the tests of the source watcher share: an owner that reads anew at each call, as the supervisor does.
#pragma once

#include "arizuko/host/sources/source_watcher.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "arizuko/host/sources/environment_reader.hpp"
#include "host/host_test_tools.hpp"
#include "kubelet_volume.hpp"

using namespace arizuko;
using namespace arizuko::host;
using namespace arizuko::host::testing;
using namespace std::literals;
namespace asio = boost::asio;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Kind = plan::Source::Kind;
using Values = std::map<std::string, std::string>;

namespace {

// The slow comparison is out of the way: what a test sees came by an event.
constexpr SourceRhythm quick{.debounce = 10ms, .longest = 50ms, .compare = 1h, .compare_in_trouble = 1h};
constexpr SourceRhythm comparing{
    .debounce = 5ms, .longest = 20ms, .compare = 30ms, .compare_in_trouble = 10ms};

plan::Source directory(std::string path) { return {.kind = Kind::directory, .path = std::move(path)}; }
plan::Source dotenv(std::string path) { return {.kind = Kind::dotenv, .path = std::move(path)}; }

/// An owner as the supervisor is one: reads anew at each call.
struct Owner {
  asio::io_context io{1};
  std::vector<plan::Source> sources;
  std::vector<std::string> causes;
  std::vector<Values> reads;  // what was read at each call
  bool usable = true;
  std::function<void()> on_change = [] {};
  std::optional<SourceWatcher> watcher;

  explicit Owner(std::vector<plan::Source> given, SourceRhythm rhythm = quick) : sources(std::move(given)) {
    watcher.emplace(
        io, sources,
        [this](std::string cause) {
          causes.push_back(std::move(cause));
          reads.push_back(read());
          on_change();
        },
        rhythm);
  }

  Values read() {
    const ReadResult result = read_sources(sources, nullptr);
    usable = result.usable();
    Values values;
    for (const auto& [name, value] : result.snapshot.values) values[name] = value.text;
    return values;
  }

  bool until(const std::function<bool()>& done) {
    const auto end = Clock::now() + 10s;
    while (!done() && Clock::now() < end) {
      io.restart();
      io.run_one_for(20ms);
    }
    return done();
  }
  bool sees(const Values& values) {
    return until([&] { return !reads.empty() && reads.back() == values; });
  }
  /// Time enough for each event that there is to be told.
  void settle(SourceRhythm rhythm = quick) {
    io.restart();
    io.run_for(rhythm.longest + rhythm.debounce);
  }
  void forget() { causes.clear(), reads.clear(); }
  std::string all_causes() const {
    std::string all;
    for (const auto& cause : causes) all += cause + "\n";
    return all;
  }
};

template <typename Use>
void with_each_order(Use use) {
  for (const auto order : {KubeletOrder::today, KubeletOrder::v1_20}) {
    CAPTURE(static_cast<int>(order));
    use(order);
  }
}

struct Killed {};

/// No descriptor can be opened while it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit none{.rlim_cur = 0, .rlim_max = before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

/// Where the tests run as root: without root's rights while it lives.
class Nobody {
 public:
  Nobody() { become(65534); }
  ~Nobody() { become(0); }
  Nobody(const Nobody&) = delete;
  Nobody& operator=(const Nobody&) = delete;
  void pause(const std::function<void()>& act) const {
    become(0);
    act();
    become(65534);
  }

 private:
  static void become(uid_t uid) {
    if (::getuid() == 0 && ::seteuid(uid) != 0) ::abort();
  }
};

}  // namespace
