#include "findings.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "arizuko/api/json_text.hpp"
#include "arizuko/base/shown.hpp"

namespace arizuko::cli {

namespace json = boost::json;

namespace {

using doctor::Finding;
using doctor::Severity;

std::string_view paint(Severity severity) {
  switch (severity) {
    case Severity::error: return "31";
    case Severity::warning: return "33";
    case Severity::note: return "2";
  }
  return "";
}

std::string severity_text(Severity severity, const Console& console) {
  const std::string word = fmt::format("{:<7}", doctor::to_text(severity));
  return console.colour ? fmt::format("\x1b[{}m{}\x1b[0m", paint(severity), word) : word;
}

std::string finding_text(const Finding& finding, std::size_t width, const Console& console) {
  const std::string place = base::shown(doctor::place_text(finding));
  const std::string margin(width + 11, ' ');
  std::string text =
      fmt::format("{}  {:<{}}  {}{}{}\n", severity_text(finding.severity, console), finding.check, width,
                  place, place.empty() ? "" : ": ", base::shown(finding.what));
  if (!finding.why.empty()) text += fmt::format("{}why: {}\n", margin, base::shown(finding.why));
  if (!finding.fix.empty()) text += fmt::format("{}fix: {}\n", margin, base::shown(finding.fix));
  return text;
}

std::string number(std::size_t count, std::string_view word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

std::string summary(const doctor::Count& count, std::size_t checks) {
  std::string text = count.errors + count.warnings == 0 ? "nothing wrong"
                                                        : fmt::format("{}, {}", number(count.errors, "error"),
                                                                      number(count.warnings, "warning"));
  if (count.notes > 0) text += ", " + number(count.notes, "note");
  return fmt::format("{} ({})\n", text, number(checks, "check"));
}

json::object finding_object(const Finding& finding) {
  return {{"severity", doctor::to_text(finding.severity)},
          {"check", finding.check},
          {"file", api::json_text(finding.where.file)},
          {"line", finding.where.line},
          {"column", finding.where.column},
          {"key", api::json_text(finding.key)},
          {"what", api::json_text(finding.what)},
          {"why", api::json_text(finding.why)},
          {"fix", api::json_text(finding.fix)}};
}

std::string all_json(const doctor::Findings& findings, const doctor::Count& count,
                     const std::vector<std::string>& checks) {
  json::array list;
  for (const Finding& each : findings) list.push_back(finding_object(each));
  const json::object page{{"ok", count.errors + count.warnings == 0},
                          {"errors", count.errors},
                          {"warnings", count.warnings},
                          {"notes", count.notes},
                          {"checks", json::array(checks.begin(), checks.end())},
                          {"findings", std::move(list)}};
  return json::serialize(page) + '\n';
}

json::object problem_object(const plan::Problem& problem) {
  return {{"severity", problem.severity == plan::Severity::error ? "error" : "warning"},
          {"file", api::json_text(problem.where.file)},
          {"line", problem.where.line},
          {"column", problem.where.column},
          {"key", api::json_text(problem.key)},
          {"what", api::json_text(problem.what)},
          {"fix", api::json_text(problem.fix)}};
}

std::string refusal_json(const Refusal& refused) {
  json::array list;
  for (const plan::Problem& problem : refused.problems) list.push_back(problem_object(problem));
  for (const std::string& line : refused.lines)
    list.push_back(problem_object({plan::Severity::error, {}, "", line, ""}));
  return json::serialize(json::object{{"ok", false}, {"problems", std::move(list)}}) + '\n';
}

std::string summary(const Refusal& refused) {
  std::size_t errors = refused.lines.size();
  std::size_t warnings = 0;
  for (const plan::Problem& problem : refused.problems)
    ++(problem.severity == plan::Severity::error ? errors : warnings);
  return number(errors, "error") + (warnings > 0 ? ", " + number(warnings, "warning") : "");
}

}  // namespace

int print_findings(const doctor::Findings& unsorted, const std::vector<std::string>& checks, Output output,
                   const Console& console) {
  doctor::Findings findings;
  for (const Severity severity : {Severity::error, Severity::warning, Severity::note})
    std::ranges::copy_if(unsorted, std::back_inserter(findings),
                         [&](const Finding& each) { return each.severity == severity; });
  const doctor::Count count = doctor::count(findings);
  if (output == Output::json) {
    console.out(all_json(findings, count, checks));
  } else {
    std::size_t width = 0;
    for (const Finding& each : findings) width = std::max(width, each.check.size());
    for (const Finding& each : findings) console.out(finding_text(each, width, console));
    console.out(summary(count, checks.size()));
  }
  return count.errors > 0 ? exit_code::wrong_plan : count.warnings > 0 ? exit_code::no : exit_code::yes;
}

int print_refusal(const Refusal& refused, Output output, const Console& console) {
  if (output == Output::json) {
    console.out(refusal_json(refused));
  } else {
    console.err(refused.text());
    console.err(fmt::format("the plan is refused: {}\n", summary(refused)));
  }
  return exit_code::wrong_plan;
}

}  // namespace arizuko::cli
