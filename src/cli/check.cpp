// `check`: the resolved plan, or everything that is wrong with it. Needs none of the pod's secrets.
#include <fmt/format.h>
#include <unistd.h>

#include "arizuko/api/status_json.hpp"
#include "arizuko/plan/show.hpp"
#include "findings.hpp"
#include "prepare.hpp"

namespace arizuko::cli {

namespace {

std::string problem_json(const plan::Problem& problem) {
  using api::json_string;
  return fmt::format(R"({{"severity":"{}","file":{},"line":{},"column":{},"key":{},"what":{},"fix":{}}})",
                     problem.severity == plan::Severity::error ? "error" : "warning",
                     json_string(problem.where.file), problem.where.line, problem.where.column,
                     json_string(problem.key), json_string(problem.what), json_string(problem.fix));
}

std::string refusal_json(const Refusal& refused) {
  std::string list;
  for (const plan::Problem& problem : refused.problems)
    list += (list.empty() ? "" : ",") + problem_json(problem);
  for (const std::string& line : refused.lines) {
    list += (list.empty() ? "" : ",") + problem_json({plan::Severity::error, {}, "", line, ""});
  }
  return fmt::format("{{\"ok\":false,\"problems\":[{}]}}\n", list);
}

std::string count(std::size_t number, std::string_view word) {
  return fmt::format("{} {}{}", number, word, number == 1 ? "" : "s");
}

std::string summary(const Refusal& refused) {
  std::size_t errors = refused.lines.size();
  std::size_t warnings = 0;
  for (const plan::Problem& problem : refused.problems)
    ++(problem.severity == plan::Severity::error ? errors : warnings);
  return count(errors, "error") + (warnings > 0 ? ", " + count(warnings, "warning") : "");
}

std::string with_newline(std::string text) {
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

}  // namespace

int print_refusal(const Refusal& refused, Output output, const Console& console) {
  if (output == Output::json) {
    console.out(refusal_json(refused));
  } else {
    console.err(refused.text());
    console.err(fmt::format("the plan is refused: {}\n", summary(refused)));
  }
  return exit_code::wrong_plan;
}

int check(const CheckOptions& options, const Console& console) {
  const auto prepared = prepare(options.plan, Values::optional, environ);
  if (!prepared) return print_refusal(prepared.error(), options.output, console);
  for (const plan::Problem& warning : prepared->plan.warnings) console.err(plan::to_text(warning) + '\n');
  for (const std::string& notice : prepared->notices) console.err(notice + '\n');
  console.out(with_newline(options.output == Output::json ? plan::to_json(prepared->plan)
                                                          : plan::to_text(prepared->plan)));
  return exit_code::yes;
}

}  // namespace arizuko::cli
