#include "check_explain.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json.hpp>

#include "arizuko/base/json_text.hpp"
#include "arizuko/base/nearest.hpp"
#include "arizuko/base/shown.hpp"
#include "arizuko/env/reach.hpp"
#include "arizuko/plan/explain.hpp"
#include "cli/render.hpp"

namespace arizuko::cli {

namespace {

namespace json = boost::json;
using Form = plan::ExplainedValue::Form;

std::string value_text(const plan::ExplainedValue& value) {
  return base::shown(value.form == Form::word ? value.text : base::json_string(value.text));
}

/// "p.toml:12 (template adapter)", "--set".
std::string origin_text(const plan::Origin& origin) {
  const plan::Location& where = origin.where;
  std::string text = where.line == 0 ? where.file.substr(0, where.file.find(' '))
                                     : fmt::format("{}:{}", where.file, where.line);
  if (!origin.from.empty()) text += fmt::format(" ({})", origin.from);
  return base::shown(text);
}

bool same_text(const plan::Origin& a, const plan::Origin& b) {
  return a.where.file == b.where.file && a.from == b.from;
}

/// A list in one row when all of it was written in one, else a row for each part.
void add_rows(Table& table, const plan::ExplainedKey& key) {
  std::vector<std::string> texts;
  for (const plan::ExplainedValue& value : key.values) texts.push_back(value_text(value));
  const std::string name = base::shown(key.key);
  if (key.kind == plan::ExplainedKey::Kind::one)
    return table.row({{name}, {origin_text(key.origin)}, {texts.at(0)}});
  const bool whole = std::ranges::all_of(
      key.values, [&](const plan::ExplainedValue& value) { return same_text(value.origin, key.origin); });
  if (whole) {
    return table.row({{name}, {origin_text(key.origin)}, {fmt::format("[{}]", fmt::join(texts, ", "))}});
  }
  for (std::size_t i = 0; i < texts.size(); ++i)
    table.row({{i == 0 ? name : ""}, {origin_text(key.values[i].origin)}, {texts[i]}});
}

std::string keys_text(const std::vector<plan::ExplainedKey>& keys, Colour colour) {
  Table table;
  for (const char* title : {"KEY", "FROM", "VALUE"}) table.column(title);
  for (const plan::ExplainedKey& key : keys) add_rows(table, key);
  return table.text(colour);
}

std::string values_text(const plan::Plan& plan, const std::vector<env::Reach>& reaches,
                        const env::Snapshot& snapshot, Colour colour) {
  if (reaches.empty()) return "no value of the environment reaches it\n";
  Table table;
  for (const char* title : {"VARIABLE", "OF KEY", "BY", "FROM"}) table.column(title);
  for (const env::Reach& reach : reaches) {
    table.row({{reach.name.empty() ? "-" : reach.name},
               {reach.key},
               {std::string(env::to_text(reach.way))},
               {base::shown(env::source_text(plan, reach, snapshot))}});
  }
  return table.text(colour);
}

json::value value_json(const plan::ExplainedValue& value) {
  if (value.form == Form::text) return json::string(value.text);
  json::error_code error;
  json::value word = json::parse(value.text, error);
  return error ? json::value(json::string(value.text)) : word;  // "nan" is no JSON
}

json::object origin_json(const plan::Origin& origin) {
  const bool in_file = origin.where.line != 0;
  return {{"file", origin.where.file},
          {"line", in_file ? json::value(origin.where.line) : json::value(nullptr)},
          {"column", in_file ? json::value(origin.where.column) : json::value(nullptr)},
          {"from", origin.from.empty() ? json::value(nullptr) : json::value(origin.from)}};
}

json::object key_json(const plan::ExplainedKey& key) {
  json::object object{{"key", key.key}};
  if (key.kind == plan::ExplainedKey::Kind::one) {
    object["value"] = value_json(key.values.at(0));
  } else {
    json::array parts;
    for (const plan::ExplainedValue& value : key.values) {
      json::object part{{"value", value_json(value)}};
      for (const auto& [name, what] : origin_json(value.origin)) part[name] = what;
      parts.push_back(std::move(part));
    }
    object["parts"] = std::move(parts);
  }
  for (const auto& [name, what] : origin_json(key.origin)) object[name] = what;
  return object;
}

json::object reach_json(const plan::Plan& plan, const env::Reach& reach, const env::Snapshot& snapshot) {
  return {{"name", reach.name.empty() ? json::value(nullptr) : json::value(reach.name)},
          {"key", reach.key},
          {"by", env::to_text(reach.way)},
          {"source", env::source_text(plan, reach, snapshot)}};
}

int no_such_service(const std::string& name, const plan::Plan& plan, const Console& console) {
  std::vector<std::string_view> names;
  for (const plan::Service& each : plan.services) names.push_back(each.name);
  const auto meant = base::nearest(name, names);
  return usage_error(console, "check",
                     fmt::format("there is no service or task {}{}", base::json_string(base::shown(name)),
                                 meant ? fmt::format("; did you mean \"{}\"?", *meant) : ""));
}

}  // namespace

int explain_service(const std::string& name, const Prepared& prepared, Output output,
                    const Console& console) {
  const auto id = prepared.plan.find(name);
  const auto keys = plan::explain(prepared.plan, prepared.files, prepared.overrides, name);
  if (!id || !keys) return no_such_service(name, prepared.plan, console);
  const plan::Service& service = prepared.plan.services[*id];
  const std::vector<env::Reach> reaches = env::reaches(prepared.plan, service);
  const std::string_view kind = service.kind == plan::Kind::task ? "task" : "service";
  if (output == Output::text) {
    const Colour colour = console.colour ? Colour::on : Colour::off;
    console.out(fmt::format("{}\n{} {}\n\n{}\n{}", files_line(prepared.files), kind, name,
                            keys_text(*keys, colour),
                            values_text(prepared.plan, reaches, prepared.snapshot, colour)));
    return exit_code::yes;
  }
  json::array key_list;
  for (const plan::ExplainedKey& key : *keys) key_list.push_back(key_json(key));
  json::array variables;
  for (const env::Reach& reach : reaches)
    variables.push_back(reach_json(prepared.plan, reach, prepared.snapshot));
  const std::vector<std::string> files = paths_of(prepared.files);
  console.out(json::serialize(json::object{{"files", json::array(files.begin(), files.end())},
                                           {"name", name},
                                           {"kind", kind},
                                           {"keys", std::move(key_list)},
                                           {"variables", std::move(variables)}}) +
              '\n');
  return exit_code::yes;
}

std::vector<std::string> paths_of(const std::vector<plan::File>& files) {
  std::vector<std::string> names;
  for (const plan::File& file : files) names.push_back(base::shown(file.path));
  return names;
}

std::string files_line(const std::vector<plan::File>& files) {
  return fmt::format("plan: {}\n", fmt::join(paths_of(files), ", "));
}

}  // namespace arizuko::cli
