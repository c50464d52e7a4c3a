// `run`: what can be said to it. What it does: cli/run.cpp.
#include <map>

#include "all.hpp"
#include "plan_words.hpp"

namespace arizuko::cli {

namespace {

const std::map<std::string, plan::LogFormat, std::less<>> log_formats = {
    {"console", plan::LogFormat::console},
    {"json", plan::LogFormat::json},
    {"journal", plan::LogFormat::journal},
};

class RunCommand final : public Command {
 public:
  About about() const override {
    return {
        .name = "run",
        .summary = "Run the instance in the foreground",
        .examples =
            "  arizuko-init run --rehearse                        stand-ins for every daemon, needs nothing\n"
            "  arizuko-init run --plan my.toml --set pod.probes=127.0.0.1:9190\n",
        .exit_codes = {{exit_code::yes, "stopped as asked"},
                       {exit_code::usage, "usage"},
                       {exit_code::gate_never_opened, "the gate never opened"},
                       {exit_code::fault, "arizuko-init itself failed"},
                       {exit_code::seeding_failed, "seeding failed"},
                       {exit_code::essential_failed, "an essential service failed"},
                       {exit_code::not_allowed, "the data directory is locked or not writable"},
                       {exit_code::wrong_plan, "the plan or a needed value is wrong"}},
        .notes =
            "Without --plan: of the stock plans in /etc/arizuko, else in etc/ of the source tree it was "
            "built in, the one whose router is in the plan's PATH: arizuko.toml for gated, "
            "arizuko-routd.toml for routd.\n"
            "As PID 1, `run` is what happens without a command.\n"};
  }

  std::vector<Option> options() override {
    return plan_.with({{"--control", &control_, "Where the control socket listens, a path or @NAME", "PATH"},
                       {"--log",
                        &log_,
                        "Log format: console, json or journal (default: chosen by what stdout is)",
                        "FORMAT",
                        {"console", "json", "journal"}}});
  }

  int run(const Console& console) override {
    auto plan = plan_.read();
    if (!plan) return usage_error(console, about().name, plan.error());
    RunOptions options{.plan = std::move(*plan), .control = control_, .log = {}};
    if (const auto found = log_formats.find(log_); found != log_formats.end()) options.log = found->second;
    return run_instance(options, console);
  }

 private:
  PlanWords plan_;
  std::string control_;
  std::string log_;
};

}  // namespace

std::unique_ptr<Command> run_command() { return std::make_unique<RunCommand>(); }

}  // namespace arizuko::cli
