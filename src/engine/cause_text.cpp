// The English of causes.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arizuko/engine/cause.hpp"
#include "arizuko/engine/why.hpp"

namespace arizuko::engine {

namespace {

std::string first_of(const Cause& cause) { return cause.names.empty() ? "" : cause.names.front(); }

// "http http://... (connection refused)"
std::string with_detail(const std::string& what, const std::string& detail) {
  return detail.empty() ? what : fmt::format("{} ({})", what, detail);
}

std::string in_brackets(const std::shared_ptr<const Cause>& cause) {
  return cause ? fmt::format(" ({})", to_text(*cause)) : "";
}

std::string ended(const Cause& cause) {
  return fmt::format("it {}{}", to_text(cause.status.value_or(ExitStatus{})),
                     cause.text.empty() ? "" : ", its last words: " + cause.text);
}

std::string counted(const FailureCount& count) {
  const std::string window = duration_text(count.window);
  return count.budget > 0 ? fmt::format(" (failure {} of {} within {})", count.failures, count.budget, window)
                          : fmt::format(" ({} failures within {})", count.failures, window);
}

std::string sentence(const Cause& cause) {
  const auto names = [&] { return fmt::format("{}", fmt::join(cause.names, ", ")); };
  switch (cause.why) {
    case Why::values_not_read: return "the values of the environment have not been read yet";
    case Why::pod_stops: return "the pod is stopping";
    case Why::not_part:
    case Why::stop_requested:
    case Why::pod_ended: return cause.text;
    case Why::values_missing: return "it needs " + cause.text;
    case Why::values_unusable: return "it takes " + cause.text;
    case Why::values_unaccepted:
      return names() + " was changed since the last run, and nobody has accepted it";
    case Why::comes_after: return "it comes after " + names();
    case Why::task_done_before: return first_of(cause) + " exists already";
    case Why::look_outdated: return "something changed during that check";
    case Why::dependencies_ready: return "everything it comes after is ready";
    case Why::looks_whether_done:
      return fmt::format("arizuko-init checks whether {} exists", first_of(cause));
    case Why::conditions_hold: return "all its readiness conditions hold";
    case Why::no_conditions: return "it runs and has no readiness condition";
    case Why::condition_ceased: return "a readiness condition does not hold any more";
    case Why::verifies: return "it exited with code 0; arizuko-init checks what it made";
    case Why::rereads_values:
      return "it exited with code 0; arizuko-init reads the values again, for it may have written some";
    case Why::ended: return ended(cause);
    case Why::in_background:
      return fmt::format("it runs in the background: it {} and left {}; start it in the foreground",
                         to_text(cause.status.value_or(ExitStatus{})), cause.text);
    case Why::not_spawned: return "it could not be started: " + cause.text;
    case Why::not_ready:
      return fmt::format("it was not ready within {}{}{}", duration_text(cause.time),
                         cause.names.empty() ? "" : ": ", fmt::join(cause.names, "; "));
    case Why::not_ended: return "it did not end within " + duration_text(cause.time);
    case Why::not_ready_in_turn:
      return "it did not become ready again in time" + (cause.text.empty() ? "" : ", and " + cause.text);
    case Why::not_live: return fmt::format("its liveness failed: {}: {}", first_of(cause), cause.text);
    case Why::never_live:
      return "its liveness never held: " +
             (cause.names.empty() ? "it was not seen in time" : with_detail(first_of(cause), cause.text));
    case Why::not_verified:
      return fmt::format("it exited with code 0, but {} does not exist", first_of(cause));
    case Why::operator_asked: return fmt::format("the {} asked for it", cause.text);
    case Why::values_changed: return "its values changed";
    case Why::definition_changed: return "its definition changed";
    case Why::rolled_back:
      return fmt::format("generation {} is rolled back ({}: {})", cause.generation, first_of(cause),
                         cause.because ? to_text(*cause.because) : "");
    case Why::dependency_restarts: return first_of(cause) + " is restarted" + in_brackets(cause.because);
    case Why::dependency_stops: return first_of(cause) + " is stopped" + in_brackets(cause.because);
    case Why::dependency_restarted: return first_of(cause) + " was restarted" + in_brackets(cause.because);
    case Why::backoff_over:
      return "its back-off is over" + (cause.because ? "; before that " + to_text(*cause.because) : "");
  }
  return "?";
}

}  // namespace

std::string to_text(const Cause& cause) {
  return sentence(cause) + (cause.count ? counted(*cause.count) : "");
}

}  // namespace arizuko::engine
