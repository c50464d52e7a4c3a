// sim_tests [--runs N] [--seed S]: plays N seeded runs of the simulated world, two processes at once.
//
// A seed that breaks an invariant is printed with the sentence and the last steps; SIM_SEED=S in the
// environment plays that one again and prints its whole history.
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "world.hpp"

namespace {

using arizuko::sim::Broken;
using arizuko::sim::World;

constexpr std::size_t last_steps = 60;

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Plays one seed again, with its history.
void show(std::uint64_t seed, std::size_t most_lines) {
  World world(seed, World::Record::history);
  std::string end = "no invariant is broken";
  try {
    world.run();
  } catch (const Broken& broken) {
    end = broken.what();
  }
  const auto& lines = world.history();
  for (std::size_t i = lines.size() > most_lines ? lines.size() - most_lines : 0; i < lines.size(); ++i) {
    fmt::print("{}\n", lines[i]);
  }
  fmt::print("seed {}: {}\n", seed, end);
}

// Every second seed of the range; returns whether all of them passed.
bool play(std::uint64_t first, std::uint64_t runs, std::uint64_t share, std::uint64_t shares, bool speak) {
  const auto began = std::chrono::steady_clock::now();
  std::uint64_t played = 0;
  std::uint64_t steps = 0;
  for (std::uint64_t seed = first + share; seed < first + runs; seed += shares) {
    World world(seed, World::Record::nothing);
    try {
      world.run();
    } catch (const Broken& broken) {
      if (speak) show(seed, last_steps);
      fmt::print("FAILED: seed {}: {}\nSIM_SEED={} prints its whole history\n", seed, broken.what(), seed);
      return false;
    }
    ++played;
    steps += world.steps();
  }
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  fmt::print("seeds from {}: {} runs, {} steps, {:.1f} s, {:.0f} runs/s\n", first + share, played, steps,
             took, static_cast<double>(played) / took);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (const char* seed = std::getenv("SIM_SEED")) {
    show(number(seed), ~std::size_t{0});
    return 0;
  }
  std::uint64_t runs = 20'000;
  std::uint64_t first = 1;
  bool speak = true;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--quiet") speak = false;
    if (argument == "--runs" && i + 1 < argc) runs = number(argv[++i]);
    if (argument == "--seed" && i + 1 < argc) first = number(argv[++i]);
  }
  fmt::print("simulating {} runs, seeds {} to {}\n", runs, first, first + runs - 1);
  std::fflush(stdout);
  const pid_t other = fork();
  if (other == 0) {
    const bool well = play(first, runs, 1, 2, speak);
    std::fflush(stdout);
    _exit(well ? 0 : 1);
  }
  const bool well = play(first, runs, 0, 2, speak);
  std::fflush(stdout);
  int status = 0;
  const bool other_well =
      waitpid(other, &status, 0) == other && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return well && other_well ? 0 : 1;
}
