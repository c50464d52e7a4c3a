// arizuko-docker: the docker command that gated calls, in today's arizuko runed, on Kubernetes
// (docs/reference/agents.md).
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "arizuko/posix/inherited.hpp"
#include "brake.hpp"
#include "kube_config.hpp"
#include "kubernetes_backend.hpp"
#include "other_backends.hpp"

namespace {

using namespace arizuko::agents;

int report(const Result<int>& result) {
  if (result) return *result;
  const auto& text = result.error().text;
  // The daemon's own errors are printed bare by all commands but `run`.
  const bool bare = text.starts_with("Error response") && result.error().code != exit_run_failed;
  std::fputs(fmt::format("{}{}\n", bare ? "" : "docker: ", text).c_str(), stderr);
  return result.error().code;
}

std::optional<std::string> variable(std::string_view name) {
  const char* value = std::getenv(std::string{name}.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>{value};
}

std::string_view word_of(Backend backend) {
  switch (backend) {
    case Backend::docker: return "docker";
    case Backend::kubernetes: return "kubernetes";
    case Backend::none: return "none";
  }
  return "";
}

Result<int> carry_out(Backend backend, const Command& command, std::span<const std::string> words,
                      const Environment& environment) {
  switch (backend) {
    case Backend::none: return without_agents(command);
    case Backend::kubernetes: return on_kubernetes(command, environment);
    case Backend::docker:
      if (std::holds_alternative<Run>(command)) return run_docker(words, environment);
      return std::unexpected(exec_docker(words, environment));
  }
  return fail("no such backend");
}

/// A turn waits for its time, and what becomes of it is noted for the next one (brake.hpp).
Result<int> run_braked(Backend backend, const Run& run, std::span<const std::string> words,
                       const Environment& environment) {
  Brake brake(environment, word_of(backend), run);
  if (auto may = brake.wait(); !may) return std::unexpected(may.error());
  auto result = carry_out(backend, run, words, environment);
  if (!result) {
    report(result);  // what went wrong is told at once, also where the brake has to hold us
    brake.failed(result.error().text);
    return result.error().code;
  }
  if (*result == 0)
    brake.went_well();
  else
    brake.failed(fmt::format("{} exit code {}",
                             *result == exit_run_failed ? "docker run failed with" : "the agent ended with",
                             *result));
  return result;
}

/// Commands about agents that only wait are answered here; the backend gets the rest.
std::optional<int> settle(Command& command, const Environment& environment) {
  std::vector<std::string>* names = nullptr;
  bool steers = false;
  if (auto* stop = std::get_if<Stop>(&command)) names = &stop->names;
  if (auto* remove = std::get_if<Remove>(&command)) names = &remove->names;
  if (auto* kill = std::get_if<Kill>(&command)) {
    names = &kill->names;
    steers = is_steering(kill->signal);
  }
  if (names == nullptr) return std::nullopt;
  auto settled =
      settle_waiting(environment, std::move(*names), steers ? Waiting::is_told_nothing : Waiting::is_ended);
  for (const std::string& name : settled.done) std::puts(name.c_str());
  *names = std::move(settled.left);
  return names->empty() ? std::optional(0) : std::nullopt;
}

int run_command(std::span<const std::string> words) {
  const Environment environment = variable;
  const auto backend = choose_backend(environment, has_service_account(environment));
  if (!backend) return report(std::unexpected(backend.error()));
  auto command = parse_command_line(words);
  if (!command) {
    // What we do not know another docker may know.
    if (*backend == Backend::docker) return report(std::unexpected(exec_docker(words, environment)));
    return report(std::unexpected(command.error()));
  }
  if (std::holds_alternative<Help>(*command) && *backend != Backend::docker) {
    std::fputs(std::string{usage()}.c_str(), stdout);
    return 0;
  }
  if (std::holds_alternative<Version>(*command) && *backend != Backend::docker) {
    std::puts("arizuko-docker " ARIZUKO_VERSION);
    return 0;
  }
  if (std::holds_alternative<Info>(*command)) note_backend(environment, word_of(*backend));
  if (const auto* run = std::get_if<Run>(&*command))
    return report(run_braked(*backend, *run, words, environment));
  if (const auto code = settle(*command, environment)) return *code;
  return report(carry_out(*backend, *command, words, environment));
}

}  // namespace

int main(int argc, char** argv) {
  arizuko::posix::open_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);  // a reader that went away shows when writing
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return run_command(words);
}
