// `secrets`: which values are in use, by name, and what is done about one that is held back.
#include <fmt/format.h>

#include "all.hpp"
#include "arizuko/base/percent.hpp"
#include "cli/client/asking.hpp"

namespace arizuko::cli {

namespace {

class Secrets final : public AskingCommand {
 public:
  About about() const override {
    return {.name = "secrets",
            .summary = "Show which values are in use, by name; accept or retry one that is held back",
            .examples =
                "  arizuko-init secrets\n  arizuko-init secrets accept AUTH_SECRET\n  arizuko-init secrets "
                "retry\n",
            .exit_codes = client_codes()};
  }

 protected:
  std::vector<Option> ask_options() override {
    return {{"ACTION",
             &action_,
             "`accept KEY`: accept a value that is held back until an operator does; `retry [KEY]`: try a "
             "value again "
             "that a service failed with",
             "",
             {"accept", "retry"}},
            {"KEY", &key_, "The key"}};
  }
  std::optional<std::string> misuse() const override {
    if (action_ == "accept" && key_.empty()) return "accept needs the name of a key";
    return std::nullopt;
  }
  int ask(const Client& client, const Console& console) const override {
    if (action_.empty()) return show(client, console);
    const std::string key = key_.empty() ? "" : base::percent_encoded(key_) + '/';
    return order(client, fmt::format("/v1/secrets/{}{}", key, action_), console);
  }

 private:
  int show(const Client& client, const Console& console) const {
    const auto reply = get(client, "/v1/secrets");
    if (!reply) return fail(console, reply.error());
    if (output() == Output::json) {
      console.out(reply->body);
      return exit_code::yes;
    }
    const auto text = secrets_text(reply->body, unix_now(), colour_of(console));
    if (!text) return fail(console, {exit_code::nobody_answers, text.error()});
    console.out(*text);
    return exit_code::yes;
  }

  std::string action_;
  std::string key_;
};

}  // namespace

std::unique_ptr<Command> secrets_command() { return std::make_unique<Secrets>(); }

}  // namespace arizuko::cli
