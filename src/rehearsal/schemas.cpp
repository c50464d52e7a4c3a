#include "schemas.hpp"

#include <array>

namespace rehearsal {
namespace {

constexpr auto groups_and_messages =
    "CREATE TABLE groups (folder TEXT PRIMARY KEY, name TEXT, product TEXT,"
    "  container_config TEXT, added_at TEXT);"
    "CREATE TABLE messages (id TEXT PRIMARY KEY, chat_jid TEXT NOT NULL, sender TEXT,"
    "  content TEXT, timestamp TEXT, source TEXT, is_from_me INTEGER DEFAULT 0,"
    "  status TEXT DEFAULT 'received');";
constexpr auto scheduled_tasks =
    "CREATE TABLE scheduled_tasks (id TEXT PRIMARY KEY, owner TEXT, chat_jid TEXT,"
    "  prompt TEXT, interval_seconds INTEGER, next_run INTEGER,"
    "  status TEXT DEFAULT 'active');";
constexpr auto onboarding =
    "CREATE TABLE onboarding (jid TEXT PRIMARY KEY, status TEXT, prompted_at TEXT,"
    "  token_used TEXT, created_at TEXT);";
constexpr auto secrets =
    "CREATE TABLE secrets (scope TEXT, scope_id TEXT, key TEXT, value TEXT,"
    "  PRIMARY KEY (scope, scope_id, key));";
constexpr auto proxyd_routes =
    "CREATE TABLE proxyd_routes (path TEXT PRIMARY KEY, backend TEXT NOT NULL,"
    "  auth TEXT NOT NULL, gated_by TEXT, preserve_headers TEXT,"
    "  strip_prefix INTEGER DEFAULT 0);";
constexpr auto messages_by_status = "CREATE INDEX messages_by_status ON messages(status);";

// Numbered like arizuko's own at this commit (0001-0059; proxyd_routes is its 0050), so that what
// looks at MAX(version) sees the same end.
constexpr std::array of_messages{Migration{1, groups_and_messages}, Migration{12, scheduled_tasks},
                                 Migration{27, onboarding},         Migration{33, secrets},
                                 Migration{50, proxyd_routes},      Migration{59, messages_by_status}};
constexpr std::array of_auth{Migration{1, "CREATE TABLE signing_keys (key TEXT PRIMARY KEY, made_at TEXT);"}};
// Others probe the table acl, and end where routd has not made it yet.
constexpr std::array of_routd{Migration{1, groups_and_messages},
                              Migration{2, "CREATE TABLE acl (principal TEXT, action TEXT, scope TEXT);"},
                              Migration{3, scheduled_tasks},
                              Migration{4, secrets},
                              Migration{5, proxyd_routes},
                              Migration{6, messages_by_status}};
constexpr std::array of_runed{Migration{
    1, "CREATE TABLE runs (id TEXT PRIMARY KEY, folder TEXT, container TEXT, begun_at TEXT, outcome TEXT);"}};
constexpr std::array of_onbod{Migration{1, onboarding}};

}  // namespace

std::span<const Migration> migrations_of(Schema schema) {
  switch (schema) {
    case Schema::Messages: return of_messages;
    case Schema::Auth: return of_auth;
    case Schema::Routd: return of_routd;
    case Schema::Runed: return of_runed;
    case Schema::Onbod: return of_onbod;
  }
  return {};
}

}  // namespace rehearsal
