// `why`: one sentence, of a service or of the pod.
#include "all.hpp"
#include "arizuko/base/percent.hpp"
#include "cli/client/asking.hpp"

namespace arizuko::cli {

namespace {

class Why final : public AskingCommand {
 public:
  About about() const override {
    return {.name = "why",
            .summary = "Say in one sentence why a service, or the pod, is as it is",
            .examples = "  arizuko-init why teled\n",
            .exit_codes = client_codes()};
  }

 protected:
  std::vector<Option> ask_options() override {
    return {{"SERVICE", &service_, "The service; without it, the pod"}};
  }
  int ask(const Client& client, const Console& console) const override {
    const auto reply =
        get(client, "/v1/why" + (service_.empty() ? "" : "?service=" + base::percent_encoded(service_)));
    if (!reply) return fail(console, reply.error());
    console.out(output() == Output::json ? reply->body : member(reply->body, "why").value_or("") + '\n');
    return exit_code::yes;
  }

 private:
  std::string service_;
};

}  // namespace

std::unique_ptr<Command> why_command() { return std::make_unique<Why>(); }

}  // namespace arizuko::cli
