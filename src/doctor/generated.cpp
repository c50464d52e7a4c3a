// env.generated: which values are made, which will be, and who may read those that are.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "files.hpp"
#include "known.hpp"

namespace arizuko::doctor {

namespace {

constexpr std::string_view check = "generated-values";

bool has_data(const plan::Plan& plan) {
  return std::ranges::any_of(
      plan.services, [](const plan::Service& each) { return each.creates && look_at(*each.creates); });
}

bool contains(const std::vector<std::string>& keys, const std::string& key) {
  return std::ranges::find(keys, key) != keys.end();
}

void check_rights(const Context& context, const std::string& path, mode_t wanted, Findings& found) {
  const auto info = look_at(path);
  if (!info) return;
  const User& user = context.user;
  if (info->st_uid != user.uid && user.uid != 0) {
    add(found, Severity::warning, check, {path, 0, 0}, "",
        fmt::format("it belongs to another user ({})", owner_text(*info)),
        "whoever owns it decides what the daemons run with",
        fmt::format("chown {}:{} {}", user.uid, user.gid, path));
  }
  if ((info->st_mode & 07777U & ~wanted) != 0) {
    add(found, Severity::warning, check, {path, 0, 0}, "",
        fmt::format("others may read or change it ({})", owner_text(*info)),
        "secrets are in it; the next start of the instance closes it",
        fmt::format("chmod {:04o} {}", wanted, path));
  }
}

void add_note(std::string_view what, const std::vector<std::string>& keys, const std::string& directory,
              std::string_view why, std::string_view fix, Findings& found) {
  if (keys.empty()) return;
  add(found, Severity::note, check, {directory, 0, 0}, "", fmt::format("{}: {}", what, fmt::join(keys, ", ")),
      why, fix);
}

}  // namespace

Generation will_generate(const Context& context, const std::string& key) {
  const plan::EnvPolicy& env = context.plan.env;
  if (!env.generates(key) || context.snapshot.has(key) || context.snapshot.unusable.contains(key))
    return Generation::no;
  if (!contains(env.guarded, key)) return Generation::at_the_next_start;
  if (contains(context.pending_guarded, key)) return Generation::no_it_is_lost;
  return has_data(context.plan) ? Generation::no_there_is_data : Generation::at_the_next_start;
}

Findings check_generated(const Context& context) {
  const plan::EnvPolicy& env = context.plan.env;
  if (env.generated.empty()) return {};
  const plan::Source& source = env.sources.front();
  std::vector<std::string> made;
  std::vector<std::string> coming;
  std::vector<std::string> unset;
  Findings found;
  for (const plan::Generated& each : env.generated) {
    const auto value = context.snapshot.values.find(each.key);
    if (value != context.snapshot.values.end() && value->second.source == plan::to_text(source))
      made.push_back(each.key);
    switch (will_generate(context, each.key)) {
      case Generation::no: break;
      case Generation::at_the_next_start: coming.push_back(each.key); break;
      case Generation::no_there_is_data: unset.push_back(each.key); break;
      case Generation::no_it_is_lost:
        add(found, Severity::error, check, {source.path + "/" + each.key, 0, 0}, each.key,
            "it was set in the last run, and is gone",
            "it is guarded: no other one is made, for what was stored under it could not be read any more "
            "(T16)",
            fmt::format("restore this file from a backup, or set {} again", each.key));
    }
  }
  add_note("made by an earlier start", made, source.path, "a backup of the volume has to hold them", "",
           found);
  add_note("no source has them: the next start makes them", coming, source.path, "", "", found);
  add_note("stays unset", unset, source.path,
           "it is guarded, and there is data that was stored without it (T16)", "", found);
  if (!made.empty()) check_rights(context, source.path, 0700, found);
  for (const std::string& key : made) check_rights(context, source.path + "/" + key, 0600, found);
  return found;
}

}  // namespace arizuko::doctor
