// `run`: from the plan to a running instance, and back to an exit code.
//
// Everything that can refuse the run is tried before the first child: the plan, the values, the data
// directory's lock, the listeners. What is wrong goes to stderr and to the termination message.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>
#include <boost/asio/io_context.hpp>

#include "arizuko/api/servers.hpp"
#include "arizuko/api/version.hpp"
#include "arizuko/doctor/checks.hpp"
#include "arizuko/env/redaction.hpp"
#include "arizuko/host/process/own_process.hpp"
#include "arizuko/host/process/process_table.hpp"
#include "arizuko/host/process/take_along.hpp"
#include "arizuko/host/state/data_dir.hpp"
#include "arizuko/host/state/data_lock.hpp"
#include "arizuko/host/state/guarded_store.hpp"
#include "arizuko/host/state/made_dirs.hpp"
#include "arizuko/host/supervisor/service_manager.hpp"
#include "arizuko/host/supervisor/supervisor.hpp"
#include "arizuko/host/supervisor/termination_message.hpp"
#include "arizuko/posix/memory_reserve.hpp"
#include "before_start.hpp"
#include "first_table.hpp"
#include "log_choice.hpp"
#include "prepare.hpp"
#include "rehearse.hpp"
#include "render.hpp"
#include "run_servers.hpp"

namespace arizuko::cli {

namespace {

/// A rehearsed fault of arizuko-init itself: an exception with this text, out of a handler of the loop, once
/// the pod is open. With --rehearse only (docs/reference/rehearsal.md).
constexpr const char* rehearsed_fault_variable = "ARIZUKO_REHEARSE_OWN_FAULT";

void rehearse_fault(host::Instance& instance, const RunOptions& options) {
  const char* text = std::getenv(rehearsed_fault_variable);
  if (text == nullptr || options.plan.mode != Mode::rehearsal) return;
  instance.subscribe([&instance, text] {
    if (instance.view().opened) throw std::runtime_error(text);
  });
}

/// How long the daemons are given to end by themselves when arizuko-init fails.
constexpr std::chrono::seconds patience_after_a_fault{5};

std::expected<host::ControlGroups, std::string> control_groups(const plan::Plan& plan) {
  switch (plan.pod.control_groups) {
    case plan::ControlGroups::when_delegated: return host::ControlGroups::take_over();
    case plan::ControlGroups::off: break;
  }
  return std::unexpected("the plan switches control groups off (pod.control_groups)");
}

std::string accepted_by_variable() {
  const char* names = std::getenv(host::accept_guarded_variable);
  return names != nullptr ? names : "";
}

std::string without_last_newline(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

/// Findings that end the run, for its reason.
std::vector<std::string> lines_of(const doctor::Findings& findings) {
  std::vector<std::string> lines;
  for (const doctor::Finding& each : findings)
    lines.push_back(fmt::format("{}: {}; {}; {}", each.where.file, each.what, each.why, each.fix));
  return lines;
}

class Run {
 public:
  Run(const RunOptions& options, const Console& console) : options_(options), console_(console) {}

  int run() {
    auto prepared = prepare(options_.plan, Values::needed, environ);
    if (!prepared) return refuse(prepared.error());
    prepared->snapshot.generation = 1;
    plan_ = std::make_shared<const plan::Plan>(std::move(prepared->plan));
    snapshot_ = std::make_shared<const env::Snapshot>(std::move(prepared->snapshot));
    notices_ = std::move(prepared->notices);
    choice_ = std::move(prepared->choice);
    again_.plan = choice_.file;
    termination_ = host::TerminationMessage(plan_->pod.termination_log);
    format_ = log_format(options_, *plan_, console_);

    if (!host::ProcessTable::become_reaper()) {
      return refuse(
          {exit_code::fault,
           {},
           {fmt::format("cannot become the subreaper of our descendants: {}", std::strerror(errno))}});
    }
    const auto parents =
        options_.plan.mode == Mode::rehearsal ? host::Parents::are_made : host::Parents::must_be_there;
    if (const auto made = host::make_data_dir(plan_->pod.data_dir, parents, host::owner_of_made_dirs(*plan_));
        !made) {
      return refuse({exit_code::not_allowed, {}, {host::to_text(made.error())}});
    }
    if (const auto found = doctor::data_of_another_line({*plan_, *snapshot_, doctor::this_user(), {}});
        !found.empty())
      return refuse({exit_code::wrong_plan, {}, lines_of(found)});
    auto state = host::StateDir::make(plan_->pod.data_dir);
    if (!state) return refuse({exit_code::not_allowed, {}, {std::move(state.error())}});
    state_ = std::move(*state);
    return supervise();
  }

  /// A fault of our own: an exception that nobody caught. What it says is washed before it is shown.
  int perish(const std::string& what, const std::function<void(std::string&)>& wash) {
    std::string sentence = "a fault of arizuko-init: " + what;
    wash(sentence);
    console_.err(fmt::format("arizuko-init: {} (exit {}); its daemons are ended with it; please report it\n",
                             sentence, exit_code::fault));
    host::TerminationReport report;
    report.exit_code = exit_code::fault;
    report.state = "ended";
    report.reason = sentence;
    termination_.write(report);
    // Else gated would live on with the database, and the next run start a second one.
    if (!host::end_all_children(patience_after_a_fault))
      console_.err("arizuko-init: some of them survived SIGKILL\n");
    return exit_code::fault;
  }

  /// By what is known of values here: before there is a supervisor, that is all.
  void wash(std::string& text) const {
    if (!plan_ || !snapshot_) return;
    env::Redactor redactor;
    redactor.take(env::secrets_of(*plan_, *snapshot_).values);
    redactor.clean(text);
  }

 private:
  int refuse(const Refusal& refused) {
    console_.err(fmt::format("{}arizuko-init does not start (exit {})\n", refused.text(), refused.exit_code));
    host::TerminationReport report;
    report.exit_code = refused.exit_code;
    report.state = "ended";
    report.reason = without_last_newline(refused.text());
    termination_.write(report);
    return refused.exit_code;
  }

  int supervise() {
    boost::asio::io_context io{1};
    host::Supervisor::Options options{plan_,
                                      snapshot_,
                                      formatter_for(format_, *plan_, console_),
                                      STDOUT_FILENO,
                                      *state_,
                                      reading(),
                                      accepted_by_variable()};
    host::Supervisor supervisor(io, std::move(options));
    try {
      return serve(io, supervisor);
    } catch (const std::exception& bug) {
      return perish(bug.what(), [&](std::string& text) { supervisor.redact(text); });
    }
  }

  int serve(boost::asio::io_context& io, host::Supervisor& supervisor) {
    Servers servers;
    std::optional<int> code;
    supervisor.attend([&](int exit_code) {
      code = exit_code;
      io.stop();
    });
    signals_.release();
    const auto lock =
        BeforeStart(
            io, supervisor,
            {.stopped = [&] { return code.has_value(); },
             // The other supervisor may have the port, too: then nobody is asked yet.
             .open_probes = [&] { static_cast<void>(open_probes(io, plan_->pod, supervisor, servers)); }})
            .enter();
    if (code) return part(supervisor, code);
    if (!lock) return refuse(lock.error().value_or(Refusal{exit_code::fault, {}, {"nobody said why"}}));
    if (auto generated = supervisor.generate_values(); !generated)
      return refuse({exit_code::not_allowed, {}, {std::move(generated.error())}});
    supervisor.use(control_groups(*plan_));
    const std::string& wanted = options_.control.empty() ? plan_->pod.control : options_.control;
    auto opened = open_probes(io, plan_->pod, supervisor, servers);
    if (opened) opened = open_page(io, plan_->pod, supervisor, servers);
    if (opened) opened = open_control(io, wanted, plan_->pod, supervisor, servers, notices_);
    if (!opened) return refuse(opened.error());
    greet(supervisor, servers);

    std::optional<FirstTable> table;
    if (format_ == plan::LogFormat::console)
      table.emplace(io, supervisor, console_.colour ? Colour::on : Colour::off);
    rehearse_fault(supervisor, options_);
    supervisor.start();
    std::optional<host::ServiceManager> manager;
    if (auto facts = host::service_manager_facts(std::getenv, ::getpid()))
      manager.emplace(io, supervisor, std::move(*facts));
    turn(io, supervisor);
    finish_streams(io, servers);
    return part(supervisor, code);
  }

  /// Until the end. What finds no memory (a line, a connection, a look) is dropped; the pod goes on.
  static void turn(boost::asio::io_context& io, host::Supervisor& supervisor) {
    for (;;) {
      try {
        io.run();
        return;
      } catch (const std::bad_alloc&) {
        supervisor.memory_was_short();
      }
    }
  }

  /// Lets followers of the control socket read the last events: at most 300 ms, and only if there are any.
  static void finish_streams(boost::asio::io_context& io, const Servers& servers) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
    io.restart();
    while (servers.control && servers.control->busy() && std::chrono::steady_clock::now() < deadline) {
      if (io.run_one_until(deadline) == 0) return;
    }
  }

  int part(const host::Supervisor& supervisor, std::optional<int> code) {
    const int exit = code.value_or(exit_code::fault);
    if (format_ == plan::LogFormat::console || exit != exit_code::yes) {
      const std::string& verdict = supervisor.view().verdict;
      console_.err(fmt::format("arizuko-init: {} (exit {})\n",
                               verdict.empty() ? "the loop ended without a verdict" : verdict, exit));
    }
    return exit;
  }

  void greet(host::Supervisor& supervisor, const Servers& servers) const {
    const plan::Pod& pod = plan_->pod;
    const auto address = [](const std::optional<plan::Address>& it) {
      return it ? fmt::format("{}:{}", it->ip.contains(':') ? '[' + it->ip + ']' : it->ip, it->port) : "off";
    };
    supervisor.log(
        host::Level::info,
        fmt::format("arizuko-init {}: instance {}, data {}, probes {}, page {}, control {}", api::version,
                    pod.instance, pod.data_dir, address(pod.probes), address(pod.page),
                    servers.control_address.empty() ? "none" : servers.control_address));
    supervisor.log(host::Level::info, is_doubtful(choice_) ? taken_in_doubt(choice_) : to_text(choice_));
    if (const host::GroupFacts groups = supervisor.control_groups(); !groups.path.empty()) {
      supervisor.log(
          host::Level::info,
          fmt::format("a control group for each service below {}; its limits can be of {}", groups.path,
                      groups.controllers.empty()
                          ? "nothing"
                          : fmt::format("{}", fmt::join(groups.controllers, " and "))));
    }
    for (const plan::Problem& warning : plan_->warnings)
      supervisor.log(host::Level::warn, plan::to_text(warning));
    for (const std::string& notice : notices_) supervisor.log(host::Level::warn, notice);
  }

  std::expected<std::pair<engine::PlanPtr, env::SnapshotPtr>, std::string> read_again() {
    auto prepared = prepare(again_, Values::needed, environ);
    if (!prepared) return std::unexpected(without_last_newline(prepared.error().text()));
    return std::pair{std::make_shared<const plan::Plan>(std::move(prepared->plan)),
                     std::make_shared<const env::Snapshot>(std::move(prepared->snapshot))};
  }

  host::Supervisor::Reading reading() {
    host::Supervisor::Reading reading{.reload = [this] { return read_again(); },
                                      .plan_file = again_.plan,
                                      .environment = environ,
                                      .complete = {},
                                      .notices = notices_};
    if (options_.plan.mode == Mode::rehearsal) reading.complete = make_up_values;
    return reading;
  }

  const RunOptions& options_;
  const Console& console_;
  PlanChoice choice_;
  PlanOptions again_ = options_.plan;  // of a running instance the choice is made: a reload changes no line
  host::StopSignalsBlocked signals_;
  posix::MemoryReserve memory_reserve_;
  host::TerminationMessage termination_{"/dev/termination-log"};
  engine::PlanPtr plan_;
  std::optional<host::StateDir> state_;  // once there is a data directory
  env::SnapshotPtr snapshot_;
  std::vector<std::string> notices_;
  plan::LogFormat format_ = plan::LogFormat::json;
};

}  // namespace

int run_instance(const RunOptions& options, const Console& console) {
  host::harden();
  host::hide_environment();
  Run run(options, console);
  try {
    return run.run();
  } catch (const std::exception& bug) {
    return run.perish(bug.what(), [&](std::string& text) { run.wash(text); });
  }
}

}  // namespace arizuko::cli
