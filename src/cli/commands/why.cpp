// `why`: one sentence, of a service or of the pod.
#include <algorithm>

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
    return {{"SERVICE", &service_, "The service, or @NAME for each of a group; without it, the pod"}};
  }
  int ask(const Client& client, const Console& console) const override {
    if (service_.empty()) return say(client, "", console);
    const auto services = services_named(client, {service_});
    if (!services) return fail(console, services.error());
    int worst = exit_code::yes;
    for (const Named& each : *services)
      worst = std::max(worst, say(client, "?service=" + base::percent_encoded(each.name), console));
    return worst;
  }

 private:
  int say(const Client& client, const std::string& query, const Console& console) const {
    const auto reply = get(client, "/v1/why" + query);
    if (!reply) return fail(console, reply.error());
    console.out(output() == Output::json ? reply->body : member(reply->body, "why").value_or("") + '\n');
    return exit_code::yes;
  }

  std::string service_;
};

}  // namespace

std::unique_ptr<Command> why_command() { return std::make_unique<Why>(); }

}  // namespace arizuko::cli
