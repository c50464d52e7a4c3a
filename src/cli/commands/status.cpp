// `status`: every service and its state.
#include <fmt/format.h>

#include "all.hpp"
#include "cli/client/asking.hpp"

namespace arizuko::cli {

namespace {

class StatusCommand final : public AskingCommand {
 public:
  About about() const override {
    return {.name = "status",
            .summary = "Show every service and its state",
            .examples = "  arizuko-init status\n  arizuko-init status --json | jq -r '.services[].state'\n",
            .exit_codes = {{exit_code::yes, "all is well"},
                           {exit_code::no, "something that should be ready is not"},
                           {exit_code::nobody_answers, "nobody answers"},
                           {exit_code::usage, "usage"}}};
  }

 protected:
  int ask(const Client& client, const Console& console) const override {
    const auto reply = get(client, "/v1/status");
    if (!reply) return fail(console, reply.error());
    if (output() == Output::json) {
      console.out(reply->body);
    } else {
      const auto parsed = parse_status(reply->body);
      if (!parsed) return fail(console, {exit_code::nobody_answers, parsed.error()});
      const auto sentence = get(client, "/v1/why");
      if (!sentence) return fail(console, sentence.error());
      console.out(
          status_text(*parsed, member(sentence->body, "why").value_or(""), unix_now(), colour_of(console)));
    }
    return reply->all_well ? exit_code::yes : exit_code::no;
  }
};

}  // namespace

std::unique_ptr<Command> status_command() { return std::make_unique<StatusCommand>(); }

}  // namespace arizuko::cli
