#include "findings.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "arizuko/api/status_json.hpp"
#include "arizuko/host/logs/shown.hpp"

namespace arizuko::cli {

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
  const std::string place = host::shown(doctor::place_text(finding));
  const std::string margin(width + 11, ' ');
  std::string text =
      fmt::format("{}  {:<{}}  {}{}{}\n", severity_text(finding.severity, console), finding.check, width,
                  place, place.empty() ? "" : ": ", host::shown(finding.what));
  if (!finding.why.empty()) text += fmt::format("{}why: {}\n", margin, host::shown(finding.why));
  if (!finding.fix.empty()) text += fmt::format("{}fix: {}\n", margin, host::shown(finding.fix));
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

std::string finding_json(const Finding& finding) {
  using api::json_string;
  return fmt::format(
      R"({{"severity":"{}","check":{},"file":{},"line":{},"column":{},"key":{},"what":{},"why":{},"fix":{}}})",
      doctor::to_text(finding.severity), json_string(finding.check), json_string(finding.where.file),
      finding.where.line, finding.where.column, json_string(finding.key), json_string(finding.what),
      json_string(finding.why), json_string(finding.fix));
}

std::string all_json(const doctor::Findings& findings, const doctor::Count& count,
                     const std::vector<std::string>& checks) {
  std::string list;
  for (const Finding& each : findings) list += (list.empty() ? "" : ",") + finding_json(each);
  std::string names;
  for (const std::string& each : checks) names += (names.empty() ? "" : ",") + api::json_string(each);
  return fmt::format(
      "{{\"ok\":{},\"errors\":{},\"warnings\":{},\"notes\":{},\"checks\":[{}],\"findings\":[{}]}}\n",
      count.errors + count.warnings == 0, count.errors, count.warnings, count.notes, names, list);
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

}  // namespace arizuko::cli
