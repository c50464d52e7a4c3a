#include "arizuko/doctor/finding.hpp"

#include <iterator>

#include <fmt/format.h>

namespace arizuko::doctor {

std::string_view to_text(Severity severity) {
  switch (severity) {
    case Severity::error: return "error";
    case Severity::warning: return "warning";
    case Severity::note: return "note";
  }
  return "?";
}

void add(Findings& all, Severity severity, std::string_view check, const plan::Location& where,
         std::string_view key, std::string_view what, std::string_view why, std::string_view fix) {
  Finding& finding = all.emplace_back();
  finding.severity = severity;
  finding.check = check;
  finding.where = where;
  finding.key = key;
  finding.what = what;
  finding.why = why;
  finding.fix = fix;
}

Findings one(Severity severity, std::string_view check, const plan::Location& where, std::string_view key,
             std::string_view what, std::string_view why, std::string_view fix) {
  Findings all;
  add(all, severity, check, where, key, what, why, fix);
  return all;
}

Count count(const Findings& findings) {
  Count all;
  for (const Finding& each : findings) {
    switch (each.severity) {
      case Severity::error: ++all.errors; break;
      case Severity::warning: ++all.warnings; break;
      case Severity::note: ++all.notes; break;
    }
  }
  return all;
}

std::string place_text(const Finding& finding) {
  const plan::Location& where = finding.where;
  std::string place = where.file;
  if (!place.empty() && where.line > 0) place += fmt::format(":{}", where.line);
  if (!place.empty() && !finding.key.empty()) place += ": ";
  return place + finding.key;
}

void append(Findings& all, Findings more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace arizuko::doctor
