// `doctor`: what is wrong on this machine or in this pod.
#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

#include "all.hpp"
#include "arizuko/doctor/checks.hpp"
#include "arizuko/env/scope.hpp"
#include "arizuko/host/state/guarded_store.hpp"
#include "cli/prepare.hpp"
#include "findings.hpp"
#include "plan_words.hpp"

namespace arizuko::cli {

namespace {

/// What `run` would refuse although the plan is good: a source that cannot be read.
doctor::Findings unusable_sources(const PlanOptions& options) {
  doctor::Findings found;
  const auto strict = prepare(options, Values::needed, environ);
  if (strict || !strict.error().problems.empty()) return found;
  for (const std::string& line : strict.error().lines) {
    found.push_back({doctor::Severity::error, "sources", {}, "", line, "`run` ends with exit 78", ""});
  }
  return found;
}

/// Values that nobody can be given: the trouble of those who take them.
doctor::Findings unusable_values(const Prepared& prepared) {
  doctor::Findings found;
  for (const auto& [key, why] : prepared.snapshot.unusable) {
    std::string takers;
    for (const plan::Service& each : prepared.plan.services) {
      if (std::ranges::binary_search(env::scope(prepared.plan, each), key))
        takers += (takers.empty() ? "" : ", ") + each.name;
    }
    if (takers.empty()) continue;
    found.push_back({doctor::Severity::error,
                     "sources",
                     {},
                     key,
                     fmt::format("{}: {}", key, why),
                     fmt::format("what takes it does not start: {}", takers),
                     "mend it in its source"});
  }
  return found;
}

/// The wrong stock plan would make everything else that is said here wrong, too.
doctor::Findings doubts(const PlanChoice& choice, Mode mode) {
  if (!is_doubtful(choice)) return {};
  const bool refused = mode == Mode::real;
  return {{refused ? doctor::Severity::error : doctor::Severity::note,
           "plan",
           {},
           "",
           taken_in_doubt(choice),
           refused ? "`run` ends with exit 78" : "",
           ""}};
}

doctor::Findings plan_warnings(const plan::Plan& plan) {
  doctor::Findings found;
  for (const plan::Problem& each : plan.warnings) {
    found.push_back({doctor::Severity::warning, "plan", each.where, each.key, each.what, "", each.fix});
  }
  return found;
}

/// What the last run remembered of guarded values. Reads only.
host::GuardedStore guarded_store(const Prepared& prepared) {
  const char* accepted = std::getenv(host::accept_guarded_variable);
  return {host::StateDir::at(prepared.plan.pod.data_dir + "/.arizuko-init"),
          accepted == nullptr ? "" : accepted};
}

class Doctor final : public Command {
 public:
  About about() const override {
    return {
        .name = "doctor",
        .summary = "Check this machine or this pod for problems, before they show",
        .examples = "  arizuko-init doctor\n  kubectl exec deploy/arizuko -- arizuko-init doctor --json\n",
        .exit_codes = {{exit_code::yes, "nothing wrong (there may be notes)"},
                       {exit_code::no, "warnings only"},
                       {exit_code::usage, "usage"},
                       {exit_code::wrong_plan, "an error"}}};
  }

  std::vector<Option> options() override { return plan_.with({{"--json", &json_, "JSON, for scripts"}}); }

  int run(const Console& console) override {
    const auto plan = plan_.read();
    if (!plan) return usage_error(console, about().name, plan.error());
    const Output output = json_ ? Output::json : Output::text;
    const auto prepared = prepare(*plan, Values::optional, environ);
    if (!prepared) return print_refusal(prepared.error(), output, console);
    std::vector<std::string> names = names_of(doctor::all_checks());
    names.insert(names.begin(), {"plan", "sources"});
    return print_findings(examine(*plan, *prepared), names, output, console);
  }

 private:
  static doctor::Findings examine(const PlanOptions& plan, const Prepared& prepared) {
    host::GuardedStore store = guarded_store(prepared);
    doctor::Context context{
        prepared.plan, prepared.snapshot, doctor::this_user(),
        store.unlike_last_run(prepared.plan.env.guarded,
                              env::seen_values(prepared.plan, prepared.plan.env.guarded, prepared.snapshot))};
    context.fingerprints_known = !store.knows_nothing();
    context.groups = host::ControlGroups::delegated();
    doctor::Findings found = doubts(prepared.choice, plan.mode);
    PlanOptions chosen = plan;
    chosen.plan = prepared.choice.file;
    append(found, unusable_sources(chosen));
    append(found, unusable_values(prepared));
    append(found, plan_warnings(prepared.plan));
    append(found, doctor::run_all(context));
    return found;
  }

  PlanWords plan_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> doctor_command() { return std::make_unique<Doctor>(); }

}  // namespace arizuko::cli
