// `logs`: the last lines of services, and those to come.
#include <fmt/format.h>

#include "all.hpp"
#include "arizuko/base/percent.hpp"
#include "cli/client/asking.hpp"

namespace arizuko::cli {

namespace {

constexpr std::uint64_t usual_lines = 100;
constexpr std::uint64_t most_lines = 1'000'000;

class Logs final : public AskingCommand {
 public:
  About about() const override {
    return {.name = "logs",
            .summary = "Show the last log lines of services",
            .examples = "  arizuko-init logs --follow gated teled\n",
            .exit_codes = client_codes()};
  }

 protected:
  std::vector<Option> ask_options() override {
    return {{"--follow,-f", &follow_, "Go on with new lines as they come"},
            {"--lines,-n", Whole{&lines_, most_lines}, "How many lines (default: 100)", "N"},
            {"SERVICE", &services_, "Names of services; @NAME is a whole group"}};
  }
  int ask(const Client& client, const Console& console) const override {
    std::string target =
        fmt::format("/v1/logs?lines={}&follow={}", lines_.value_or(usual_lines), follow_ ? 1 : 0);
    const auto services = services_named(client, services_);
    if (!services) return fail(console, services.error());
    for (const Named& each : *services) target += "&service=" + base::percent_encoded(each.name);
    return print_stream(client, target, log_text, follow_, console);
  }

 private:
  bool follow_ = false;
  std::optional<std::uint64_t> lines_;
  std::vector<std::string> services_;
};

}  // namespace

std::unique_ptr<Command> logs_command() { return std::make_unique<Logs>(); }

}  // namespace arizuko::cli
