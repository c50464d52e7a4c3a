// `reload`: the plan and the environment are read again.
#include "all.hpp"
#include "cli/client/asking.hpp"

namespace arizuko::cli {

namespace {

class Reload final : public AskingCommand {
 public:
  About about() const override {
    return {.name = "reload",
            .summary = "Read the plan and the environment again",
            .examples = "  arizuko-init reload\n",
            .exit_codes = client_codes()};
  }

 protected:
  int ask(const Client& client, const Console& console) const override {
    return order(client, "/v1/reload", console);
  }
};

}  // namespace

std::unique_ptr<Command> reload_command() { return std::make_unique<Reload>(); }

}  // namespace arizuko::cli
