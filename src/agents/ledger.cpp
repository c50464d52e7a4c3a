#include "ledger.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "json.hpp"

namespace arizuko::agents {
namespace {

constexpr std::size_t most_name_bytes = 255;
constexpr unsigned most_failures = 1'000'000;

FailingGroup* find(Ledger& ledger, std::string_view group) {
  const auto found = std::ranges::find(ledger.groups, group, &FailingGroup::group);
  return found == ledger.groups.end() ? nullptr : &*found;
}

/// A clock that was set back, or a process that reserved and died, must not hold a group for ever.
UnixMs believable(const Ledger& ledger, const FailingGroup& group, UnixMs now) {
  const auto waiting = std::ranges::count_if(ledger.runs, [&](const LiveRun& run) {
    return run.group == group.group && run.stage == LiveRun::Stage::waiting;
  });
  return std::min(group.not_before, now + pause_after(group.failures).count() * (waiting + 1));
}

std::string name_at(const json::value& value, std::string_view key) {
  auto text = one_line(text_at(value, {key}));
  text.resize(std::min(text.size(), most_name_bytes));
  return text;
}

FailingGroup read_group(const json::value& value) {
  FailingGroup out;
  out.group = name_at(value, "group");
  out.failures =
      static_cast<unsigned>(std::clamp<std::int64_t>(number_at(value, {"failures"}), 0, most_failures));
  out.since = number_at(value, {"since"});
  out.last = number_at(value, {"last"});
  out.not_before = number_at(value, {"not_before"});
  out.reason = one_line(text_at(value, {"reason"}));
  return out;
}

LiveRun read_run(const json::value& value) {
  LiveRun out;
  out.name = name_at(value, "name");
  out.group = name_at(value, "group");
  out.pid = static_cast<int>(std::clamp<std::int64_t>(number_at(value, {"pid"}), 0, INT32_MAX));
  out.born = static_cast<std::uint64_t>(std::max<std::int64_t>(number_at(value, {"born"}), 0));
  out.stage = text_at(value, {"stage"}) == "running" ? LiveRun::Stage::running : LiveRun::Stage::waiting;
  return out;
}

}  // namespace

Milliseconds pause_after(unsigned failures) {
  if (failures == 0) return Milliseconds{0};
  return std::min(shortest_pause * (1u << std::min(failures - 1, 10u)), longest_turn_pause);
}

const FailingGroup* failing(const Ledger& ledger, std::string_view group) {
  const auto found = std::ranges::find(ledger.groups, group, &FailingGroup::group);
  return found == ledger.groups.end() ? nullptr : &*found;
}

UnixMs reserve(Ledger& ledger, std::string_view group, UnixMs now) {
  auto* found = find(ledger, group);
  if (found == nullptr) return now;
  const auto start = std::max(now, believable(ledger, *found, now));
  found->not_before = start + pause_after(found->failures).count();
  return start;
}

void note_failure(Ledger& ledger, std::string_view group, std::string_view reason, UnixMs now) {
  auto* found = find(ledger, group);
  if (found == nullptr) {
    if (ledger.groups.size() >= most_groups)
      ledger.groups.erase(std::ranges::min_element(ledger.groups, {}, &FailingGroup::last));
    found = &ledger.groups.emplace_back();
    found->group = group;
    found->since = now;
  }
  found->failures = std::min(found->failures + 1, most_failures);
  found->last = now;
  found->reason = one_line(reason);
  found->not_before = std::max(believable(ledger, *found, now), now + pause_after(found->failures).count());
}

void note_success(Ledger& ledger, std::string_view group) {
  std::erase_if(ledger.groups, [&](const FailingGroup& each) { return each.group == group; });
}

void note_backend(Ledger& ledger, std::string_view backend, UnixMs now) {
  if (ledger.backend == backend) return;
  ledger.backend = backend;
  ledger.backend_since = now;
}

std::string to_json(const Ledger& ledger) {
  json::array groups;
  for (const FailingGroup& each : ledger.groups) {
    groups.push_back(json::object{{"group", json_text(each.group)},
                                  {"failures", each.failures},
                                  {"since", each.since},
                                  {"last", each.last},
                                  {"not_before", each.not_before},
                                  {"reason", json_text(each.reason)}});
  }
  json::array runs;
  for (const LiveRun& each : ledger.runs) {
    runs.push_back(json::object{{"name", json_text(each.name)},
                                {"group", json_text(each.group)},
                                {"pid", each.pid},
                                {"born", each.born},
                                {"stage", each.stage == LiveRun::Stage::running ? "running" : "waiting"}});
  }
  return json::serialize(json::object{{"backend", json_text(ledger.backend)},
                                      {"backend_since", ledger.backend_since},
                                      {"groups", std::move(groups)},
                                      {"runs", std::move(runs)}}) +
         "\n";
}

Ledger read_ledger(std::string_view text) {
  Ledger out;
  if (text.size() > most_ledger_bytes) return out;
  boost::system::error_code error;
  const auto root = json::parse(boosted(text), error);
  if (error || !root.is_object()) return out;
  out.backend = name_at(root, "backend");
  out.backend_since = number_at(root, {"backend_since"});
  if (const auto* groups = list_at(root, {"groups"})) {
    for (const json::value& each : *groups) {
      auto group = read_group(each);
      const bool sound = !group.group.empty() && group.failures > 0 && failing(out, group.group) == nullptr;
      if (sound && out.groups.size() < most_groups) out.groups.push_back(std::move(group));
    }
  }
  if (const auto* runs = list_at(root, {"runs"})) {
    for (const json::value& each : *runs) {
      auto run = read_run(each);
      if (run.pid > 1 && out.runs.size() < most_runs) out.runs.push_back(std::move(run));
    }
  }
  return out;
}

std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte >= 0x7F ? ' ' : c;
    if (out.size() == most_reason_bytes) break;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace arizuko::agents
