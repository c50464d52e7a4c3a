// `graph`: the plan's links as a picture. Which services are off is known where the values are; without any
// of those that the plan switches by or needs, the picture is of the whole plan.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "all.hpp"
#include "arizuko/env/scope.hpp"
#include "arizuko/plan/graph.hpp"
#include "cli/prepare.hpp"
#include "findings.hpp"
#include "plan_words.hpp"

namespace arizuko::cli {

namespace {

struct Form {
  std::string_view name;
  plan::GraphFormat format;
};
constexpr std::array forms{Form{"text", plan::GraphFormat::text}, Form{"dot", plan::GraphFormat::dot},
                           Form{"mermaid", plan::GraphFormat::mermaid}};

std::vector<std::string> names_of_forms() {
  std::vector<std::string> names;
  for (const Form& form : forms) names.emplace_back(form.name);
  return names;
}

bool has_value_of(const plan::Service& service, const env::Snapshot& snapshot) {
  const auto is_set = [&](const auto& each) { return snapshot.has(each); };
  return std::ranges::any_of(service.need, is_set, &plan::Taken::key) ||
         std::ranges::any_of(service.enabled_when, [&](const plan::AnyOf& any) {
           return std::ranges::any_of(any, is_set, &plan::EnabledWhen::name);
         });
}

/// Those whose values are all to come: a laptop that looks at the plan, and no pod.
bool are_values_known(const Prepared& prepared) {
  return std::ranges::any_of(prepared.plan.services, [&](const plan::Service& each) {
    return has_value_of(each, prepared.snapshot);
  });
}

std::vector<plan::Idle> idle_of(const Prepared& prepared) {
  std::vector<plan::Idle> idle;
  for (plan::ServiceId id = 0; id < prepared.plan.services.size(); ++id) {
    const plan::Service& service = prepared.plan.services[id];
    if (!env::enabled(service, prepared.snapshot)) {
      idle.push_back({plan::Idle::State::off, id, env::why_disabled(service, prepared.snapshot)});
    } else if (const auto keys = env::missing_for_run(prepared.plan, service, prepared.snapshot);
               !keys.empty()) {
      idle.push_back({plan::Idle::State::blocked, id, fmt::format("it needs {}", fmt::join(keys, ", "))});
    }
  }
  return idle;
}

class Graph final : public Command {
 public:
  About about() const override {
    return {.name = "graph",
            .summary = "Draw what starts after what",
            .examples =
                "  arizuko-init graph --plan etc/arizuko.toml\n"
                "  arizuko-init graph --rehearse --format mermaid\n"
                "  arizuko-init graph --format dot | dot -Tsvg > plan.svg\n",
            .exit_codes = {{exit_code::yes, "drawn"},
                           {exit_code::usage, "usage"},
                           {exit_code::wrong_plan, "the plan is wrong"}}};
  }

  std::vector<Option> options() override {
    return plan_.with({{"--format", &format_, "text (the default), dot for Graphviz, mermaid for Markdown",
                        "FORMAT", names_of_forms()},
                       {"--all", &all_, "The links that follow from others, too"}});
  }

  int run(const Console& console) override {
    const auto words = plan_.read();
    if (!words) return usage_error(console, about().name, words.error());
    const auto prepared = prepare(*words, Values::optional, environ);
    if (!prepared) return print_refusal(prepared.error(), Output::text, console);
    if (is_doubtful(prepared->choice)) console.err(taken_in_doubt(prepared->choice) + '\n');
    for (const std::string& notice : prepared->notices) console.err(notice + '\n');
    plan::GraphRequest request{.format = std::ranges::find(forms, format_, &Form::name)->format,
                               .links = all_ ? plan::GraphLinks::all : plan::GraphLinks::telling,
                               .idle = {}};
    if (are_values_known(*prepared)) {
      request.idle = idle_of(*prepared);
    } else {
      console.err("no value is known here: what is off for want of one is drawn as if it were on\n");
    }
    console.out(plan::graph(prepared->plan, request));
    return exit_code::yes;
  }

 private:
  PlanWords plan_;
  std::string format_ = "text";
  bool all_ = false;
};

}  // namespace

std::unique_ptr<Command> graph_command() { return std::make_unique<Graph>(); }

}  // namespace arizuko::cli
