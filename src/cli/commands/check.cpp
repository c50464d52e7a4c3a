// `check`: the resolved plan, or everything that is wrong with it. Needs none of the pod's secrets. With
// --explain where the keys of one service come from: check_explain.cpp. With --pod what is wrong with a
// manifest: check_pod.cpp.
#include <unistd.h>

#include "all.hpp"
#include "arizuko/plan/show.hpp"
#include "check_explain.hpp"
#include "check_pod.hpp"
#include "cli/prepare.hpp"
#include "findings.hpp"
#include "plan_words.hpp"

namespace arizuko::cli {

namespace {

std::string with_newline(std::string text) {
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

class Check final : public Command {
 public:
  About about() const override {
    return {.name = "check",
            .summary = "Print the resolved plan, or everything that is wrong with it",
            .examples =
                "  arizuko-init check --plan etc/arizuko.toml\n"
                "  arizuko-init check --explain teled\n"
                "  kubectl kustomize k8s/overlays/production | arizuko-init check --pod -\n",
            .exit_codes = {{exit_code::yes, "nothing wrong (of a plan there may be warnings)"},
                           {exit_code::no, "with --pod: warnings only"},
                           {exit_code::usage, "usage"},
                           {exit_code::wrong_plan, "the plan is wrong, or with --pod there is an error"}}};
  }

  std::vector<Option> options() override {
    return plan_.with(
        {{"--json", &json_, "JSON, for scripts"},
         {"--explain", &explain_, "Where each key of one service comes from, and each of its values",
          "SERVICE"},
         {"--pod", &pod_, "Hold a rendered Kubernetes manifest against the plan; - reads it from stdin",
          "FILE"}});
  }

  int run(const Console& console) override {
    const auto plan = plan_.read();
    if (!plan) return usage_error(console, about().name, plan.error());
    const Output output = json_ ? Output::json : Output::text;
    if (!pod_.empty() && !explain_.empty())
      return usage_error(console, about().name,
                         "--explain is about the plan, --pod about a manifest: take one");
    return pod_.empty() ? check_plan(*plan, output, console) : check_pod(pod_, *plan, output, console);
  }

 private:
  int check_plan(const PlanOptions& plan, Output output, const Console& console) const {
    const auto prepared = prepare(plan, Values::optional, environ);
    if (!prepared) return print_refusal(prepared.error(), output, console);
    if (is_doubtful(prepared->choice)) console.err(taken_in_doubt(prepared->choice) + '\n');
    for (const plan::Problem& warning : prepared->plan.warnings) console.err(plan::to_text(warning) + '\n');
    for (const std::string& notice : prepared->notices) console.err(notice + '\n');
    if (!explain_.empty()) return explain_service(explain_, *prepared, output, console);
    if (output == Output::json) {
      console.out(with_newline(plan::to_json(prepared->plan, paths_of(prepared->files))));
    } else {
      console.out(files_line(prepared->files) + '\n' + with_newline(plan::to_text(prepared->plan)));
    }
    return exit_code::yes;
  }

  PlanWords plan_;
  std::string pod_;
  std::string explain_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> check_command() { return std::make_unique<Check>(); }

}  // namespace arizuko::cli
