// Values: needed, guarded, unsafe, or not what the daemons can take.
#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arizuko/host/process/run_mark.hpp"
#include "files.hpp"
#include "holder.hpp"
#include "known.hpp"

namespace arizuko::doctor {

namespace {

std::string place_of(const plan::Source& source) {
  switch (source.kind) {
    case plan::Source::Kind::environment: return "the environment";
    case plan::Source::Kind::dotenv:
    case plan::Source::Kind::directory:
    case plan::Source::Kind::generated: return source.path;
  }
  return "?";
}

std::string sources_text(const plan::Plan& plan) {
  std::vector<std::string> names;
  for (const plan::Source& each : plan.env.sources) {
    if (each.kind != plan::Source::Kind::generated) names.push_back(place_of(each));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

// ---------------------------------------------------------------------------------------------

Findings check_needed(const Context& context) {
  Findings found;
  for (const plan::Service* each : running(context)) {
    std::vector<std::string> names = env::missing(*each, context.snapshot);
    std::erase_if(names, [&](const std::string& key) {
      return will_generate(context, key) == Generation::at_the_next_start;
    });
    if (names.empty()) continue;
    for (std::string& name : names) name = env::as_needed(*each, name);
    const std::string kind = each->kind == plan::Kind::task ? "task" : "service";
    const bool serious = matters(context.plan, *each);
    add(found, serious ? Severity::error : Severity::warning, "needed-values", each->where,
        fmt::format("{}.{}.need", kind, each->name),
        fmt::format("{} {} not set", fmt::join(names, ", "), names.size() == 1 ? "is" : "are"),
        each->essential ? std::string("`run` ends at once with exit 78")
                        : fmt::format("{} stays blocked{}", each->name,
                                      serious ? ", and the pod is never ready" : "; the rest runs"),
        fmt::format("set it in one of: {}", sources_text(context.plan)));
  }
  return found;
}

Findings judge_guarded(const std::string& key, Waits waits) {
  const std::string fix =
      fmt::format("`arizuko-init secrets accept {}` takes it; or put the old value back", key);
  const std::string lost =
      fmt::format("with another {} every secret that is stored in the database is lost (T16)", key);
  switch (waits) {
    case Waits::beside_the_old_one:
      return one(Severity::warning, "guarded-keys", {}, key,
                 "its new value is not in use: the key is guarded", lost, fix);
    case Waits::and_blocks:
      return one(
          Severity::error, "guarded-keys", {}, key,
          "its value is not that of the last run: what sees it does not start, and the pod is never ready",
          lost, fix);
  }
  return {};
}

namespace {

bool sees(const Context& context, const plan::Service& service, const std::string& key) {
  const std::vector<std::string> scope = env::scope(context.plan, service);
  return service.kind == plan::Kind::service && std::ranges::find(scope, key) != scope.end();
}

/// Whoever runs with the old value goes on; what does not run, is not started.
bool blocks(const Context& context, const std::string& key) {
  const auto holder = lock_holder(context.plan.pod.data_dir);
  const auto processes = host::marked_processes(host::instance_mark(context.plan.pod.data_dir));
  const auto runs = [&](const plan::Service& service) {
    return holder && std::ranges::any_of(processes, [&](const host::MarkedProcess& each) {
             return each.service.empty() || each.service == service.name;
           });
  };
  return std::ranges::any_of(running(context), [&](const plan::Service* each) {
    return sees(context, *each, key) && matters(context.plan, *each) && !runs(*each);
  });
}

bool has_data_of_earlier_runs(const plan::Plan& plan) {
  return std::ranges::any_of(
      plan.services, [](const plan::Service& each) { return each.creates && look_at(*each.creates); });
}

}  // namespace

Findings check_guarded(const Context& context) {
  Findings found;
  for (const std::string& key : context.pending_guarded)
    append(found, judge_guarded(key, blocks(context, key) ? Waits::and_blocks : Waits::beside_the_old_one));
  if (context.fingerprints_known || !has_data_of_earlier_runs(context.plan)) return found;
  for (const std::string& key : context.plan.env.guarded) {
    if (!context.snapshot.has(key)) continue;
    add(found, Severity::warning, "guarded-keys", {}, key,
        "the instance has data of earlier runs, and no fingerprint of it",
        "a value that changed since the last run would be taken unasked, and what was stored under the old "
        "one "
        "lost (T16)",
        "make sure that it is the old one; the next start writes its fingerprint");
  }
  return found;
}

// ---------------------------------------------------------------------------------------------

Findings check_dotenv(const Context& context) {
  Findings found;
  for (const plan::Source& source : context.plan.env.sources) {
    if (source.kind != plan::Source::Kind::dotenv) continue;
    const auto info = look_at(source.path);
    if (!info) continue;
    const auto add = [&](Severity severity, std::string_view what, std::string_view why,
                         std::string_view fix) {
      doctor::add(found, severity, "dotenv", {source.path, 0, 0}, "", what, why, fix);
    };
    const User& user = context.user;
    const std::string chown = fmt::format("chown {}:{} {}", user.uid, user.gid, source.path);
    if (!may(user, *info, Right::read)) {
      add(Severity::error, fmt::format("uid {} cannot read it ({})", user.uid, owner_text(*info)),
          "its values are missing, and the daemons' own reader ignores that in silence (T15)", chown);
    } else if (info->st_uid != user.uid) {
      add(Severity::warning, fmt::format("it belongs to another user ({})", owner_text(*info)),
          "whoever owns it decides what the daemons run with", chown);
    }
    if ((info->st_mode & (S_IRWXG | S_IRWXO)) != 0) {
      add(Severity::warning, fmt::format("others may read or change it ({})", owner_text(*info)),
          "secrets are in it", fmt::format("chmod 0600 {}", source.path));
    }
  }
  return found;
}

// ---------------------------------------------------------------------------------------------

Findings check_development(const Context& context) {
  if (!has_program(context.plan, "gated")) return {};  // today's arizuko has no such door
  const std::string* value = context.snapshot.find("ARIZUKO_DEV");
  const bool is_set = value != nullptr && (*value == "true" || *value == "1");
  std::vector<std::string> takers;
  for (const plan::Service* each : running(context)) {
    if (is_on(env::compose(context.plan, *each, context.snapshot), "ARIZUKO_DEV"))
      takers.push_back(each->name);
  }
  const plan::Location where = source_of(context, "ARIZUKO_DEV");
  if (!takers.empty()) {
    return one(
        Severity::error, "development", where, "ARIZUKO_DEV",
        fmt::format("{} get it", fmt::join(takers, ", ")),
        "with it an empty CHANNEL_SECRET is taken, and everybody who reaches gated's port may send as any "
        "channel (T18)",
        "unset it, and take it out of the plan");
  }
  if (!is_set) return {};
  return one(Severity::note, "development", where, "ARIZUKO_DEV", "it is set, and no service gets it",
             "it would open gated to everybody (T18)", "unset it");
}

// ---------------------------------------------------------------------------------------------
// ASSISTANT_NAME: the router drops messages whose sender is LIKE '<name>%' (T33)

namespace {

// What senders begin with: prefixes of the adapters' ids, and daemons that write messages themselves.
// `anon` is every visitor of the web chat who has not signed in; local, delegate and escalate are agents that
// write to each other.
constexpr std::array<std::string_view, 24> senders = {
    "telegram", "discord", "slack",   "email", "mastodon", "bluesky", "reddit",   "linkedin",
    "whatsapp", "web",     "twitter", "timed", "onbod",    "gated",   "routd",    "runed",
    "authd",    "system",  "x:",      "anon",  "local",    "user",    "delegate", "escalate"};

/// Groups write under their own names.
std::vector<std::string> groups_of(const std::string& data_dir) {
  constexpr std::size_t most = 10'000;
  std::vector<std::string> names;
  std::error_code failed;
  for (std::filesystem::directory_iterator it(data_dir + "/groups", failed), end;
       !failed && it != end && names.size() < most; it.increment(failed)) {
    names.push_back(it->path().filename().string());
  }
  return names;
}

/// SQL's LIKE takes no notice of case; `_` is any one character and `%` any text.
bool is_like(std::string_view name, std::string_view sender) {
  if (name.empty()) return true;
  if (name.front() == '%') return true;
  if (sender.empty()) return false;
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  if (name.front() != '_' && lower(name.front()) != lower(sender.front())) return false;
  return is_like(name.substr(1), sender.substr(1));
}

}  // namespace

std::optional<NameTrouble> trouble_with_assistant(std::string_view name,
                                                  const std::vector<std::string>& groups) {
  constexpr std::size_t longest = 128;
  if (name.empty()) return std::nullopt;
  if (name.find_first_of(" \t:'\"\\/") != std::string::npos) {
    return NameTrouble{
        "it has a space or one of : ' \" \\ /",
        "the seed of a fresh volume fails (73), and the daemons that read it exit at start (T33)"};
  }
  if (name.size() > longest)
    return NameTrouble{fmt::format("it is longer than {} bytes", longest),
                       "it is part of the containers' names"};
  for (const std::string_view sender : senders) {
    if (!is_like(name, sender)) continue;
    return NameTrouble{
        fmt::format("senders called \"{}\" begin with it", sender),
        "the router takes messages of senders that begin with this name for its own, and drops them (T33)"};
  }
  for (const std::string& group : groups) {
    if (!is_like(name, group)) continue;
    return NameTrouble{"a group's name begins with it",
                       "the router takes what agents of that group write for its own, and drops it (T33)"};
  }
  return std::nullopt;
}

Findings check_assistant(const Context& context) {
  const std::string* name = context.snapshot.find("ASSISTANT_NAME");
  if (name == nullptr) return {};
  const auto trouble = trouble_with_assistant(*name, groups_of(context.plan.pod.data_dir));
  if (!trouble) return {};
  return one(Severity::error, "assistant-name", source_of(context, "ASSISTANT_NAME"), "ASSISTANT_NAME",
             trouble->what, trouble->why, another_assistant);
}

// ---------------------------------------------------------------------------------------------

Findings check_whisper(const Context& context) {
  for (const plan::Service* each : running(context)) {
    if (program_name(*each) != "gated" && program_name(*each) != "routd") continue;
    const env::Environment environment = env::compose(context.plan, *each, context.snapshot);
    if (!is_on(environment, "VOICE_TRANSCRIPTION_ENABLED") &&
        !is_on(environment, "VIDEO_TRANSCRIPTION_ENABLED"))
      continue;
    const std::string url = value_of(environment, "WHISPER_BASE_URL");
    const auto finding = [&](Severity severity, std::string_view what, std::string_view why) {
      return one(severity, "whisper", each->where, fmt::format("service.{}.env.WHISPER_BASE_URL", each->name),
                 what, why, "set WHISPER_BASE_URL to the transcription server, or switch it off");
    };
    if (url.empty()) {
      return finding(
          Severity::error, "transcription is on, and no server is named",
          fmt::format("{} would post users' audio to localhost:8080, which is timed here (T31)", each->name));
    }
    if (url.ends_with("127.0.0.1:9")) {
      return finding(Severity::warning, "transcription is on, and WHISPER_BASE_URL is not set",
                     "the plan's stand-in refuses: voice messages arrive without their text (T31)");
    }
    for (const plan::Service& other : context.plan.services) {
      const std::string port = fmt::format(":{}", other.port);
      const std::size_t at = url.find(port);
      const bool local =
          url.find("127.0.0.1") != std::string::npos || url.find("localhost") != std::string::npos;
      const bool whole =
          at != std::string::npos && (at + port.size() == url.size() || url[at + port.size()] == '/');
      if (other.port == 0 || !local || !whole) continue;
      return finding(Severity::error, fmt::format("it points at {}, on port {}", other.name, other.port),
                     "users' audio would be posted to a daemon that is no transcription server (T31)");
    }
  }
  return {};
}

// ---------------------------------------------------------------------------------------------

namespace {

std::string zone_file(const std::vector<std::string>& directories, const std::string& zone) {
  for (const std::string& directory : directories) {
    std::string path = fmt::format("{}/{}", directory, zone);
    const auto info = look_at(path);
    if (info && S_ISREG(info->st_mode)) return path;
  }
  return {};
}

bool takes(const Context& context, const std::string& name) {
  return std::ranges::any_of(running(context), [&](const plan::Service* each) {
    const std::vector<std::string> scope = env::scope(context.plan, *each);
    return std::ranges::find(scope, name) != scope.end();
  });
}

}  // namespace

Findings check_time_zone(const Context& context) {
  const auto finding = [&](std::string_view key, std::string_view what, std::string_view why,
                           std::string_view fix) {
    return one(Severity::warning, "time-zone", source_of(context, key), std::string(key), what, why, fix);
  };
  const std::string* zone = context.snapshot.find("TZ");
  if (zone == nullptr || zone->empty()) {
    if (!context.snapshot.has("TIMEZONE")) return {};
    return finding("TIMEZONE", "TIMEZONE is set, and TZ is not",
                   "no daemon reads TIMEZONE: tasks run in UTC (T27)", "set TZ");
  }
  if (*zone == "UTC" || *zone == "Local" || !takes(context, "TZ")) return {};
  const bool plain = zone->size() < 64 && zone->find("..") == std::string::npos && zone->front() != '/';
  if (plain && !zone_file(context.zone_directories, *zone).empty()) return {};
  return finding("TZ",
                 plain ? fmt::format("there is no zone {} in this image", *zone) : "it is no zone's name",
                 "the daemons then run in UTC, in silence: tasks come at the wrong hour (T27)",
                 fmt::format("install tzdata (looked in {}), or name a zone as in Europe/Berlin",
                             fmt::join(context.zone_directories, ", ")));
}

}  // namespace arizuko::doctor
