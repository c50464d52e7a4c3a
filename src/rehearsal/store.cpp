#include "store.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>

namespace rehearsal {
namespace {

constexpr int application_id = 0x61727268;  // "arrh"
constexpr std::size_t row_limit = 10'000;

}  // namespace

void Store::Close::operator()(sqlite3* database) const { ::sqlite3_close_v2(database); }

std::string Store::trouble() const {
  return fmt::format("{} ({})", ::sqlite3_errmsg(database_.get()),
                     ::sqlite3_extended_errcode(database_.get()));
}

std::string messages_db(std::string_view data_dir) { return fmt::format("{}/store/messages.db", data_dir); }
std::string auth_db(std::string_view data_dir) { return fmt::format("{}/store/authd/auth.db", data_dir); }
std::string routd_db(std::string_view data_dir) { return fmt::format("{}/store/routd/routd.db", data_dir); }
std::string runed_db(std::string_view data_dir) { return fmt::format("{}/store/runed/runed.db", data_dir); }
std::string onbod_db(std::string_view data_dir) { return fmt::format("{}/store/onbod/onbod.db", data_dir); }

std::expected<Store, std::string> Store::open(const std::string& path, StoreUse use, Schema schema) {
  if (use == StoreUse::Migrates) {
    std::error_code error;
    const auto parent = std::filesystem::path(path).parent_path();
    std::filesystem::create_directories(parent, error);
    if (error) return std::unexpected(fmt::format("mkdir {}: {}", parent.string(), error.message()));
  }
  sqlite3* raw = nullptr;
  const bool must_be_there = use == StoreUse::Owned || use == StoreUse::Probed;
  const int flags = SQLITE_OPEN_READWRITE | (must_be_there ? 0 : SQLITE_OPEN_CREATE);
  const int code = ::sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Store store{std::unique_ptr<sqlite3, Close>(raw)};
  if (code != SQLITE_OK) return std::unexpected(store.trouble());
  if (auto done = store.prepare_file(use, schema); !done) return std::unexpected(done.error());
  return store;
}

std::expected<void, std::string> Store::prepare_file(StoreUse use, Schema schema) {
  if (auto done = script("PRAGMA temp_store=MEMORY"); !done) return done;
  if (use == StoreUse::Private) return script("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY)");
  ::sqlite3_busy_timeout(database_.get(), 5000);
  if (auto done = refuse_foreign_file(); !done) return done;
  if (auto done = script("PRAGMA journal_mode=WAL"); !done) return done;
  if (use == StoreUse::Migrates || use == StoreUse::Owned) return migrate(schema);
  if (use == StoreUse::Probed && !rows("SELECT 1 FROM acl LIMIT 1"))
    return std::unexpected(fmt::format("no such table: acl ({})", SQLITE_ERROR));
  return {};
}

std::expected<void, std::string> Store::refuse_foreign_file() {
  const auto tables = rows("SELECT count(*) FROM sqlite_master");
  if (!tables) return std::unexpected(tables.error());
  const auto mark = rows("PRAGMA application_id");
  if (!mark) return std::unexpected(mark.error());
  if (tables->front().front() == "0" || mark->front().front() == fmt::to_string(application_id)) return {};
  return std::unexpected(
      "this is not a rehearsal's database; a rehearsal does not touch an instance's "
      "data: give it a data directory of its own");
}

// As db_utils does it: read MAX(version), then one transaction a file. Two at once: the loser
// fails and its daemon exits 1 (T26). A file newer than the program is accepted silently.
std::expected<void, std::string> Store::migrate(Schema schema) {
  if (auto done =
          script("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at TEXT)");
      !done)
    return done;
  if (auto done = script(fmt::format("PRAGMA application_id={}", application_id).c_str()); !done) return done;
  const auto newest = rows("SELECT coalesce(max(version), 0) FROM migrations");
  if (!newest) return std::unexpected(newest.error());
  const int have = std::atoi(newest->front().front().c_str());
  for (const auto& migration : migrations_of(schema)) {
    if (migration.version <= have) continue;
    const auto sql = fmt::format("BEGIN; {} INSERT INTO migrations VALUES ({}, datetime('now')); COMMIT;",
                                 migration.sql, migration.version);
    if (auto done = script(sql.c_str()); !done) {
      auto why = fmt::format("migration {:04}: {}", migration.version, done.error());
      (void)script("ROLLBACK");
      return std::unexpected(std::move(why));
    }
  }
  return {};
}

std::expected<void, std::string> Store::script(const char* sql) {
  if (::sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return std::unexpected(trouble());
}

std::expected<void, std::string> Store::run(std::string_view sql, Values values) {
  const auto result = rows(sql, values);
  if (!result) return std::unexpected(result.error());
  return {};
}

std::expected<std::vector<Store::Row>, std::string> Store::rows(std::string_view sql, Values values) {
  sqlite3_stmt* raw = nullptr;
  if (::sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr) !=
      SQLITE_OK)
    return std::unexpected(trouble());
  const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(raw, ::sqlite3_finalize);
  int index = 0;
  for (const auto value : values) {
    // Static: the views outlive the statement, which does not leave this function.
    ::sqlite3_bind_text(raw, ++index, value.data(), static_cast<int>(value.size()), nullptr);
  }
  std::vector<Row> found;
  int code = ::sqlite3_step(raw);
  for (; code == SQLITE_ROW && found.size() < row_limit; code = ::sqlite3_step(raw)) {
    Row& row = found.emplace_back();
    for (int column = 0; column < ::sqlite3_column_count(raw); ++column) {
      const auto* text = ::sqlite3_column_text(raw, column);
      const auto size = static_cast<std::size_t>(::sqlite3_column_bytes(raw, column));
      row.emplace_back(text == nullptr ? "" : std::string(reinterpret_cast<const char*>(text), size));
    }
  }
  if (code != SQLITE_DONE && code != SQLITE_ROW) return std::unexpected(trouble());
  return found;
}

bool Store::ping() { return rows("SELECT 1").has_value(); }

}  // namespace rehearsal
