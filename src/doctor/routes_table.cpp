// A leftover proxyd_routes: PROXYD_ROUTES_JSON is read only while that table is empty (T10).
#include <map>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "files.hpp"
#include "holder.hpp"
#include "known.hpp"
#include "sqlite_file.hpp"

namespace arizuko::doctor {

namespace {

using Routes = std::map<std::string, std::string>;  // path -> backend

std::string member(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string{};
}

std::expected<Routes, std::string> planned(const std::string& text) {
  boost::json::error_code failed;
  const boost::json::value value = boost::json::parse(text, failed);
  if (failed || !value.is_array()) return std::unexpected(failed ? failed.message() : "it is no array");
  Routes routes;
  for (const boost::json::value& each : value.get_array()) {
    if (each.is_object()) routes[member(each.get_object(), "path")] = member(each.get_object(), "backend");
  }
  return routes;
}

void add_route(Findings& found, Severity severity, const std::string& database, std::string_view what,
               std::string_view why) {
  add(found, severity, "routes-table", {database, 0, 0}, "proxyd_routes", what, why,
      fmt::format(
          "stop proxyd, empty the table: sqlite3 {} 'DELETE FROM proxyd_routes', start proxyd: it takes "
          "the plan's routes anew. The image has no sqlite3 program: docs/how-to/troubleshooting.md",
          database));
}

Findings judge_unreadable(const Context& context, const std::string& database, const SqliteError& error) {
  const auto finding = [&](Severity severity, std::string_view what, std::string_view why,
                           std::string_view fix) {
    return one(severity, "routes-table", {database, 0, 0}, "", what, why, fix);
  };
  switch (error.kind) {
    case SqliteError::Kind::damaged: {
      // While a daemon writes, what was read may be of two times.
      const bool in_use = lock_holder(context.plan.pod.data_dir).has_value();
      return finding(
          in_use ? Severity::warning : Severity::error, error.phrase,
          in_use ? "or it was written to in this very moment; damaged, the daemons exit or lose messages"
                 : "gated and all that read the database exit, or lose messages",
          fmt::format("{}stop the instance and put a backup back, or save what is left: sqlite3 {} .recover",
                      in_use ? "ask again; then " : "", database));
    }
    case SqliteError::Kind::empty:
      return finding(Severity::warning, "the database is an empty file",
                     "the seed takes it for done, and the group main is never made (T13)",
                     "with the instance stopped take the file away: the seed runs at the next start");
    case SqliteError::Kind::not_here:
      return finding(
          Severity::note, fmt::format("the routes cannot be looked at: {}", error.phrase),
          "whether they are the plan's is not known (T10)",
          fmt::format("ask again, or: sqlite3 {} 'SELECT path, backend FROM proxyd_routes'", database));
  }
  return {};
}

Findings compare(const std::string& database, const SqliteTable& table, Routes wanted) {
  Findings found;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const std::string path = table.text(row, "path");
    const std::string backend = table.text(row, "backend");
    const auto plan = wanted.find(path);
    if (plan == wanted.end()) {
      add_route(found, Severity::note, database,
                fmt::format("{} goes to {}, and is not in the plan", path, backend),
                "it is of an older plan, of compose, or of an operator");
      continue;
    }
    if (plan->second != backend) {
      add_route(found, Severity::error, database,
                fmt::format("{} goes to {}, the plan says {}", path, backend, plan->second),
                "proxyd reads the plan's routes only while this table is empty (T10)");
    }
    wanted.erase(plan);
  }
  for (const auto& [path, backend] : wanted) {
    add_route(found, Severity::warning, database,
              fmt::format("{} of the plan is not there: it answers 404", path),
              "proxyd reads the plan's routes only while this table is empty (T10)");
  }
  return found;
}

}  // namespace

Findings check_routes_table(const Context& context) {
  for (const plan::Service* each : running(context)) {
    const env::Environment environment = env::compose(context.plan, *each, context.snapshot);
    const std::string text = value_of(environment, "PROXYD_ROUTES_JSON");
    const std::string database = value_of(environment, "DATA_DIR") + "/store/messages.db";
    if (text.empty()) continue;
    const auto routes = planned(text);
    if (!routes) {
      return one(Severity::error, "routes-table", each->where,
                 fmt::format("service.{}.env.PROXYD_ROUTES_JSON", each->name),
                 fmt::format("it is no JSON array: {}", routes.error()), "proxyd exits at start",
                 "mend the JSON");
    }
    if (!look_at(database)) return {};
    const auto table = read_sqlite_table(database, "proxyd_routes");
    if (!table) return judge_unreadable(context, database, table.error());
    return table->rows.empty() ? Findings{} : compare(database, *table, *routes);
  }
  return {};
}

}  // namespace arizuko::doctor
