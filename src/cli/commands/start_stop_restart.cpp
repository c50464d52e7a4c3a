// `start`, `stop`, `restart`: an order for each service named, and with --wait what came of it.
#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "all.hpp"
#include "arizuko/base/percent.hpp"
#include "cli/client/asking.hpp"

namespace arizuko::cli {

namespace {

enum class Verb { start, stop, restart };
enum class Outcome { reached, missed, not_yet };

constexpr double longest_wait_seconds = 86'400;

/// Whether a service that came to `state` is what was asked for.
Outcome outcome_of(Verb verb, std::string_view state) {
  const bool down = state == "off" || state == "failed" || state == "blocked";
  const bool up = state == "ready" || state == "done";
  if (verb == Verb::stop) return down ? Outcome::reached : Outcome::not_yet;
  return up ? Outcome::reached : down ? Outcome::missed : Outcome::not_yet;
}

/// The number of the newest event: what comes after it, comes of our command.
std::expected<std::uint64_t, std::string> last_event(const Client& client) {
  std::uint64_t last = 0;
  const auto reply = client.stream("/v1/events", patience, [&](std::string_view line) {
    boost::json::error_code error;
    const boost::json::value event = boost::json::parse(line, error);
    if (!error && event.is_object()) {
      const boost::json::value* seq = event.get_object().if_contains("seq");
      if (seq != nullptr && seq->is_number()) last = seq->to_number<std::uint64_t>(error);
    }
    return Client::More::yes;
  });
  if (!reply) return std::unexpected(reply.error());
  return last;
}

/// Nothing when the service comes to what was asked for within `seconds`.
std::optional<Failure> wait_for(const Client& client, Verb verb, const std::string& service,
                                std::uint64_t after, double seconds) {
  using namespace std::chrono;
  const auto deadline =
      steady_clock::now() + duration_cast<steady_clock::duration>(duration<double>(seconds));
  std::optional<Failure> failure =
      Failure{exit_code::no, fmt::format("{} did not get there within {} s; `arizuko-init why {}` says why",
                                         service, seconds, service)};
  const auto take = [&](std::string_view line) {
    if (steady_clock::now() > deadline) return Client::More::no;
    if (member(line, "service") != service) return Client::More::yes;
    const std::string state = member(line, "to").value_or("");
    switch (outcome_of(verb, state)) {
      case Outcome::not_yet: return Client::More::yes;
      case Outcome::reached: failure.reset(); break;
      case Outcome::missed:
        failure->sentence =
            fmt::format("{} is {}, because {}", service, state, member(line, "cause").value_or("?"));
    }
    return Client::More::no;
  };
  const auto left = std::max(duration_cast<milliseconds>(deadline - steady_clock::now()), milliseconds(1));
  static_cast<void>(client.stream(fmt::format("/v1/events?after={}&follow=1", after), left, take));
  return failure;
}

std::string state_of(const Client& client, const std::string& service) {
  const auto reply = client.get("/v1/status");
  const auto status = reply ? parse_status(reply->body) : std::unexpected(std::string{});
  if (!status) return {};
  const auto found = std::ranges::find(status->services, service, &Status::Service::name);
  return found == status->services.end() ? "" : found->state;
}

class Order final : public AskingCommand {
 public:
  Order(Verb verb, std::string_view name, std::string_view summary, std::string_view examples)
      : verb_(verb), name_(name), summary_(summary), examples_(examples) {}

  About about() const override {
    return {.name = name_, .summary = summary_, .examples = examples_, .exit_codes = client_codes()};
  }

 protected:
  std::vector<Option> ask_options() override {
    return {{.names = "SERVICE",
             .to = &services_,
             .help = "Names of services; @NAME is a whole group",
             .need = Option::Need::required},
            {"--wait", Seconds{&wait_seconds_, 0, longest_wait_seconds},
             "Wait until the service gets there or fails, at most this long", "SECONDS"}};
  }
  int ask(const Client& client, const Console& console) const override {
    const auto services = services_named(client, services_);
    if (!services) return fail(console, services.error());
    int worst = exit_code::yes;
    bool any = false;
    for (const Named& each : *services) {
      const bool of_group = each.by == Named::By::group;
      if (of_group && is_left_alone(client, each.name, console)) continue;
      const int answer = ask_one(client, each.name, console);
      // What has no token cannot be started; it has said so.
      const bool cannot =
          of_group && verb_ == Verb::start && answer == exit_code::no && state_of(client, each.name) == "off";
      any = any || !cannot;
      if (!cannot) worst = std::max(worst, answer);
    }
    if (any) return worst;
    return fail(console, {exit_code::no, fmt::format("nothing of it can be asked to {}", name_)});
  }

 private:
  /// Of a group, a task that is done, and at a restart what is off: said, and no failure.
  bool is_left_alone(const Client& client, const std::string& service, const Console& console) const {
    const std::string state = state_of(client, service);
    if (state != "done" && (state != "off" || verb_ != Verb::restart)) return false;
    const std::string sentence = fmt::format("{} is {} and is left alone", service, state);
    if (output() == Output::json) {
      const boost::json::object answer{{"accepted", false}, {"message", sentence}};
      console.out(boost::json::serialize(answer) + '\n');
    } else {
      console.out(sentence + '\n');
    }
    return true;
  }

  int ask_one(const Client& client, const std::string& service, const Console& console) const {
    const auto after = wait_seconds_ ? last_event(client) : std::expected<std::uint64_t, std::string>(0);
    if (!after) return fail(console, {exit_code::nobody_answers, after.error()});
    const bool there = wait_seconds_ && verb_ != Verb::restart &&
                       outcome_of(verb_, state_of(client, service)) == Outcome::reached;
    const int answer =
        order(client, fmt::format("/v1/services/{}/{}", base::percent_encoded(service), name_), console);
    if (answer != exit_code::yes) return answer == exit_code::no && there ? exit_code::yes : answer;
    if (!wait_seconds_ || there) return exit_code::yes;
    if (const auto failure = wait_for(client, verb_, service, *after, *wait_seconds_))
      return fail(console, *failure);
    if (output() == Output::text) console.out(fmt::format("{}: {}\n", service, state_of(client, service)));
    return exit_code::yes;
  }

  Verb verb_;
  std::string_view name_;
  std::string_view summary_;
  std::string_view examples_;
  std::vector<std::string> services_;
  std::optional<double> wait_seconds_;
};

}  // namespace

std::unique_ptr<Command> start_command() {
  return std::make_unique<Order>(Verb::start, "start", "Start services that are off or failed",
                                 "  arizuko-init start teled --wait 30\n");
}
std::unique_ptr<Command> stop_command() {
  return std::make_unique<Order>(Verb::stop, "stop", "Stop services; they stay off until started",
                                 "  arizuko-init stop teled\n");
}
std::unique_ptr<Command> restart_command() {
  return std::make_unique<Order>(
      Verb::restart, "restart", "Stop services and start them again",
      "  arizuko-init restart gated --wait 60\n  arizuko-init restart @adapters\n");
}

}  // namespace arizuko::cli
