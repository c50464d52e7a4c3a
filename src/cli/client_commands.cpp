// The commands that ask a running instance: status, why, start, stop, restart, reload, secrets, logs, events.
#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json.hpp>

#include "client.hpp"
#include "options.hpp"
#include "render.hpp"

namespace arizuko::cli {

namespace {

/// An exit code with the sentence for it.
struct Failure {
  int code;
  std::string sentence;
};

int fail(const Console& console, const Failure& failure) {
  console.err(failure.sentence + '\n');
  return failure.code;
}

Colour colour_of(const Console& console) { return console.colour ? Colour::on : Colour::off; }

std::string looked_in(const Places& places, const Found& found) {
  std::string text =
      fmt::format("{} and @arizuko-init/* in {}", fmt::join(places.directories, ", "), places.proc_net_unix);
  constexpr std::size_t most = 5;  // any user can make as many as they like
  for (std::size_t i = 0; i < std::min(most, found.refused.size()); ++i) text += "; " + found.refused[i];
  if (found.refused.size() > most) text += fmt::format("; and {} more", found.refused.size() - most);
  return text;
}

std::expected<Client, Failure> find_client(const ClientOptions& options) {
  if (!options.control.empty()) return Client(options.control);
  const Places places = usual_places();
  Found found = find_control_sockets(places);
  if (found.alive.size() == 1) return Client(std::move(found.alive.front()));
  if (found.alive.empty()) {
    return std::unexpected(Failure{
        exit_code::nobody_answers,
        fmt::format("no running arizuko-init found; looked in {}; name its socket with --control PATH",
                    looked_in(places, found))});
  }
  return std::unexpected(
      Failure{exit_code::usage, fmt::format("several arizuko-init are running; name one with --control: {}",
                                            fmt::join(found.alive, ", "))});
}

std::optional<std::string> member(const std::string& body, std::string_view key) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(body, error);
  if (error || !value.is_object()) return std::nullopt;
  const boost::json::value* found = value.get_object().if_contains(key);
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return std::string(found->get_string());
}

/// What a reply that is no success means: somebody answered, and the answer is no.
Failure failure_of(const Reply& reply) {
  return {exit_code::no,
          member(reply.body, "error").value_or(fmt::format("arizuko-init answered {}", reply.status))};
}

/// Asks, and returns the reply only if it is a success.
std::expected<Reply, Failure> ask(const Client& client, const std::string& target) {
  std::expected<Reply, std::string> reply = client.get(target);
  if (!reply) return std::unexpected(Failure{exit_code::nobody_answers, reply.error()});
  if (reply->status >= 300) return std::unexpected(failure_of(*reply));
  return std::move(*reply);
}

std::int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

int print_status(const Client& client, const ClientOptions& options, const Console& console) {
  const auto reply = ask(client, "/v1/status");
  if (!reply) return fail(console, reply.error());
  if (options.output == Output::json) {
    console.out(reply->body);
  } else {
    const auto parsed = parse_status(reply->body);
    if (!parsed) return fail(console, {exit_code::nobody_answers, parsed.error()});
    const auto sentence = ask(client, "/v1/why");
    if (!sentence) return fail(console, sentence.error());
    console.out(
        status_text(*parsed, member(sentence->body, "why").value_or(""), unix_now(), colour_of(console)));
  }
  return reply->all_well ? exit_code::yes : exit_code::no;
}

int print_why(const Client& client, const ClientOptions& options, const Console& console) {
  const std::string query = options.services.empty() ? "" : "?service=" + encode(options.services.front());
  const auto reply = ask(client, "/v1/why" + query);
  if (!reply) return fail(console, reply.error());
  console.out(options.output == Output::json ? reply->body : member(reply->body, "why").value_or("") + '\n');
  return exit_code::yes;
}

int print_secrets(const Client& client, const ClientOptions& options, const Console& console) {
  const auto reply = ask(client, "/v1/secrets");
  if (!reply) return fail(console, reply.error());
  if (options.output == Output::json) {
    console.out(reply->body);
    return exit_code::yes;
  }
  const auto text = secrets_text(reply->body, unix_now(), colour_of(console));
  if (!text) return fail(console, {exit_code::nobody_answers, text.error()});
  console.out(*text);
  return exit_code::yes;
}

// ---------------------------------------------------------------------------------------------
// start, stop, restart

std::string_view word_of(Verb verb) {
  switch (verb) {
    case Verb::start: return "start";
    case Verb::stop: return "stop";
    case Verb::restart: return "restart";
  }
  return "?";
}

enum class Outcome { reached, missed, not_yet };

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
  const auto reply = client.stream("/v1/events", Client::patience, [&](std::string_view line) {
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

std::optional<Failure> wait_for(const Client& client, Verb verb, const std::string& service,
                                std::uint64_t after, double seconds) {
  using namespace std::chrono;
  const auto deadline =
      steady_clock::now() + duration_cast<steady_clock::duration>(duration<double>(seconds));
  const auto too_late = [&] {
    return Failure{exit_code::no, fmt::format("{}: not there within {} s; `arizuko-init why {}` says why",
                                              service, seconds, service)};
  };
  Failure failure = too_late();
  bool reached = false;
  const auto left = std::max(duration_cast<milliseconds>(deadline - steady_clock::now()), milliseconds(1));
  static_cast<void>(
      client.stream(fmt::format("/v1/events?after={}&follow=1", after), left, [&](std::string_view line) {
        const std::string body(line);
        if (steady_clock::now() > deadline) return Client::More::no;
        if (member(body, "service") != service) return Client::More::yes;
        const std::string state = member(body, "to").value_or("");
        const Outcome outcome = outcome_of(verb, state);
        if (outcome == Outcome::not_yet) return Client::More::yes;
        reached = outcome == Outcome::reached;
        if (!reached) {
          failure = {exit_code::no, fmt::format("{} is {}, because {}", service, state,
                                                member(body, "cause").value_or("?"))};
        }
        return Client::More::no;
      }));
  if (reached) return std::nullopt;
  return failure;
}

std::string state_of(const Client& client, const std::string& service) {
  const auto reply = client.get("/v1/status");
  const auto status = reply ? parse_status(reply->body) : std::unexpected(std::string{});
  if (!status) return {};
  for (const Status::Service& each : status->services) {
    if (each.name == service) return each.state;
  }
  return {};
}

/// Asks for something and shows the answer: yes, no, or what else an exit code says.
int order(const Client& client, const std::string& target, const ClientOptions& options,
          const Console& console) {
  const auto reply = client.post(target);
  if (!reply) return fail(console, {exit_code::nobody_answers, reply.error()});
  const std::optional<std::string> message = member(reply->body, "message");
  if (!message) return fail(console, failure_of(*reply));
  const bool accepted = reply->status < 300;
  if (options.output == Output::json)
    console.out(reply->body);
  else
    (accepted ? console.out : console.err)(*message + '\n');
  return accepted ? exit_code::yes : exit_code::no;
}

int command_one(const Client& client, Verb verb, const std::string& service, const ClientOptions& options,
                const Console& console) {
  const auto after = options.wait_seconds ? last_event(client) : std::expected<std::uint64_t, std::string>(0);
  if (!after) return fail(console, {exit_code::nobody_answers, after.error()});
  const bool there = options.wait_seconds && verb != Verb::restart &&
                     outcome_of(verb, state_of(client, service)) == Outcome::reached;
  const int answer =
      order(client, fmt::format("/v1/services/{}/{}", encode(service), word_of(verb)), options, console);
  if (answer != exit_code::yes) return answer == exit_code::no && there ? exit_code::yes : answer;
  if (!options.wait_seconds || there) return exit_code::yes;
  const std::optional<Failure> failure = wait_for(client, verb, service, *after, *options.wait_seconds);
  if (failure) return fail(console, *failure);
  if (options.output == Output::text)
    console.out(fmt::format("{}: {}\n", service, state_of(client, service)));
  return exit_code::yes;
}

// ---------------------------------------------------------------------------------------------
// logs, events

using Render = std::optional<std::string> (*)(std::string_view json, Colour colour);

int print_stream(const Client& client, const std::string& target, Render render, const ClientOptions& options,
                 const Console& console) {
  const auto wait = options.follow ? std::chrono::milliseconds(0) : Client::patience;
  const auto reply = client.stream(target, wait, [&](std::string_view line) {
    if (options.output == Output::json) {
      console.out(std::string(line) + '\n');
    } else if (const auto text = render(line, colour_of(console))) {
      console.out(*text);
    }
    return Client::More::yes;
  });
  if (!reply) return fail(console, {exit_code::nobody_answers, reply.error()});
  if (reply->status >= 300) return fail(console, failure_of(*reply));
  return exit_code::yes;
}

template <typename Command>
int with_client(const ClientOptions& options, const Console& console, Command&& command) {
  const std::expected<Client, Failure> client = find_client(options);
  return client ? command(*client) : fail(console, client.error());
}

}  // namespace

int status(const ClientOptions& options, const Console& console) {
  return with_client(options, console,
                     [&](const Client& client) { return print_status(client, options, console); });
}

int why(const ClientOptions& options, const Console& console) {
  return with_client(options, console,
                     [&](const Client& client) { return print_why(client, options, console); });
}

int command(Verb verb, const ClientOptions& options, const Console& console) {
  return with_client(options, console, [&](const Client& client) {
    int worst = exit_code::yes;
    for (const std::string& service : options.services) {
      worst = std::max(worst, command_one(client, verb, service, options, console));
    }
    return worst;
  });
}

int reload(const ClientOptions& options, const Console& console) {
  return with_client(options, console,
                     [&](const Client& client) { return order(client, "/v1/reload", options, console); });
}

int secrets(const ClientOptions& options, const Console& console) {
  return with_client(options, console, [&](const Client& client) {
    switch (options.secrets_action) {
      case ClientOptions::SecretsAction::show: return print_secrets(client, options, console);
      case ClientOptions::SecretsAction::accept:
        return order(client, fmt::format("/v1/secrets/{}/accept", encode(options.key)), options, console);
      case ClientOptions::SecretsAction::retry:
        return order(client,
                     options.key.empty() ? "/v1/secrets/retry"
                                         : fmt::format("/v1/secrets/{}/retry", encode(options.key)),
                     options, console);
    }
    return exit_code::usage;
  });
}

int logs(const ClientOptions& options, const Console& console) {
  std::string target =
      fmt::format("/v1/logs?lines={}&follow={}", options.lines.value_or(100), options.follow ? 1 : 0);
  for (const std::string& service : options.services) target += "&service=" + encode(service);
  return with_client(options, console, [&](const Client& client) {
    return print_stream(client, target, log_text, options, console);
  });
}

int events(const ClientOptions& options, const Console& console) {
  std::string target = fmt::format("/v1/events?follow={}", options.follow ? 1 : 0);
  if (options.after) target += fmt::format("&after={}", *options.after);
  return with_client(options, console, [&](const Client& client) {
    return print_stream(client, target, event_text, options, console);
  });
}

}  // namespace arizuko::cli
