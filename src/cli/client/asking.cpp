#include "asking.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json.hpp>

#include "arizuko/base/percent.hpp"

namespace arizuko::cli {

namespace {

std::string looked_in(const Places& places, const Found& found) {
  std::string text =
      fmt::format("{} and @arizuko-init/* in {}", fmt::join(places.directories, ", "), places.proc_net_unix);
  constexpr std::size_t most = 5;  // any user can make as many as they like
  for (std::size_t i = 0; i < std::min(most, found.refused.size()); ++i) text += "; " + found.refused[i];
  if (found.refused.size() > most) text += fmt::format("; and {} more", found.refused.size() - most);
  return text;
}

std::expected<Client, Failure> find_client(const std::string& control) {
  if (!control.empty()) return Client(control);
  if (const char* named = std::getenv("ARIZUKO_INIT_CONTROL"); named != nullptr && *named != '\0')
    return Client(named);
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

/// What a reply that is no success means: somebody answered, and the answer is no.
Failure failure_of(const Reply& reply) {
  return {exit_code::no,
          member(reply.body, "error").value_or(fmt::format("arizuko-init answered {}", reply.status))};
}

}  // namespace

std::vector<Option> AskingCommand::options() {
  std::vector<Option> all = {
      {"--control", &control_,
       "The instance's control socket, a path or @NAME\n(default: $ARIZUKO_INIT_CONTROL, else "
       "the one that is found)",
       "PATH"},
      {"--json", &json_, "JSON, for scripts"}};
  std::ranges::move(ask_options(), std::back_inserter(all));
  return all;
}

int AskingCommand::run(const Console& console) {
  if (const auto wrong = misuse()) return usage_error(console, about().name, *wrong);
  const std::expected<Client, Failure> client = find_client(control_);
  return client ? ask(*client, console) : fail(console, client.error());
}

int AskingCommand::order(const Client& client, const std::string& target, const Console& console) const {
  const auto reply = client.post(target);
  if (!reply) return fail(console, {exit_code::nobody_answers, reply.error()});
  const std::optional<std::string> message = member(reply->body, "message");
  if (!message) return fail(console, failure_of(*reply));
  const bool accepted = reply->status < 300;
  if (output() == Output::json)
    console.out(reply->body);
  else
    (accepted ? console.out : console.err)(*message + '\n');
  return accepted ? exit_code::yes : exit_code::no;
}

int AskingCommand::print_stream(const Client& client, const std::string& target, Render render, bool follow,
                                const Console& console) const {
  const auto wait = follow ? std::chrono::milliseconds(0) : patience;
  const auto reply = client.stream(target, wait, [&](std::string_view line) {
    if (output() == Output::json) {
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

std::vector<ExitCode> client_codes() {
  return {{exit_code::yes, "yes"},
          {exit_code::no, "no"},
          {exit_code::nobody_answers, "nobody answers"},
          {exit_code::usage, "usage"}};
}

int fail(const Console& console, const Failure& failure) {
  console.err(failure.sentence + '\n');
  return failure.code;
}

Colour colour_of(const Console& console) { return console.colour ? Colour::on : Colour::off; }

std::int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::optional<std::string> member(std::string_view body, std::string_view key) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(body, error);
  if (error || !value.is_object()) return std::nullopt;
  const boost::json::value* found = value.get_object().if_contains(key);
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return std::string(found->get_string());
}

std::expected<std::vector<Named>, Failure> services_named(const Client& client,
                                                          const std::vector<std::string>& words) {
  std::vector<Named> all;
  const auto add = [&](std::string_view name, Named::By by) {
    const auto known = std::ranges::find(all, name, &Named::name);
    if (known == all.end()) {
      all.push_back({std::string(name), by});
    } else if (by == Named::By::itself) {
      known->by = by;
    }
  };
  for (const std::string& word : words) {
    if (!word.starts_with('@')) {
      add(word, Named::By::itself);
      continue;
    }
    const auto reply = get(client, "/v1/services/" + base::percent_encoded(word));
    if (!reply) return std::unexpected(reply.error());
    boost::json::error_code error;
    const boost::json::value value = boost::json::parse(reply->body, error);
    const auto* list = !error && value.is_object() ? value.get_object().if_contains("services") : nullptr;
    if (list == nullptr || !list->is_array())
      return std::unexpected(Failure{exit_code::no, "the answer is not the JSON that was expected"});
    for (const boost::json::value& each : list->get_array()) {
      if (each.is_string()) add(each.get_string(), Named::By::group);
    }
  }
  return all;
}

std::expected<Reply, Failure> get(const Client& client, const std::string& target) {
  std::expected<Reply, std::string> reply = client.get(target);
  if (!reply) return std::unexpected(Failure{exit_code::nobody_answers, reply.error()});
  if (reply->status >= 300) return std::unexpected(failure_of(*reply));
  return std::move(*reply);
}

}  // namespace arizuko::cli
