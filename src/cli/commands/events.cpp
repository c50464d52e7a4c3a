// `events`: the history, and what is to come.
#include <fmt/format.h>

#include "all.hpp"
#include "cli/client/asking.hpp"

namespace arizuko::cli {

namespace {

constexpr std::uint64_t last_number = 1'000'000'000'000'000;

class Events final : public AskingCommand {
 public:
  About about() const override {
    return {.name = "events",
            .summary = "Show the history: every change of state, with its cause",
            .examples = "  arizuko-init events --json --follow | jq -r .cause\n",
            .exit_codes = client_codes()};
  }

 protected:
  std::vector<Option> ask_options() override {
    return {{"--follow,-f", &follow_, "Go on with new events as they come"},
            {"--after", Whole{&after_, last_number}, "Only events with a greater number", "SEQ"}};
  }
  int ask(const Client& client, const Console& console) const override {
    std::string target = fmt::format("/v1/events?follow={}", follow_ ? 1 : 0);
    if (after_) target += fmt::format("&after={}", *after_);
    return print_stream(client, target, event_text, follow_, console);
  }

 private:
  bool follow_ = false;
  std::optional<std::uint64_t> after_;
};

}  // namespace

std::unique_ptr<Command> events_command() { return std::make_unique<Events>(); }

}  // namespace arizuko::cli
