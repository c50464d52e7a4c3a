// arizuko-docker: the docker command that gated calls, on Kubernetes (docs/agents.md).
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

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

int run_command(std::span<const std::string> words) {
  const Environment environment = variable;
  const auto backend = choose_backend(environment, has_service_account(environment));
  if (!backend) return report(std::unexpected(backend.error()));
  if (*backend == Backend::docker) return report(std::unexpected(exec_docker(words, environment)));
  const auto command = parse_command_line(words);
  if (!command) return report(std::unexpected(command.error()));
  if (std::holds_alternative<Help>(*command)) {
    std::fputs(std::string{usage()}.c_str(), stdout);
    return 0;
  }
  if (std::holds_alternative<Version>(*command)) {
    std::puts("arizuko-docker " ARIZUKO_VERSION);
    return 0;
  }
  if (*backend == Backend::none) return report(without_agents(*command));
  return report(on_kubernetes(*command, environment));
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that went away shows when writing
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return run_command(words);
}
