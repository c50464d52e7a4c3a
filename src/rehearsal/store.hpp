// The SQLite files: the gated line's shared DATA_DIR/store/messages.db (contract.md section 6), and today's
// four below DATA_DIR/store.
//
// WAL, busy_timeout 5000 ms, temporary tables in memory (the root may be read-only). The schema is
// the rehearsal's own and small; the file is marked with an application_id, and a file that holds
// tables without the mark is refused: a rehearsal must never write into a real instance's data.
#pragma once

#include "schemas.hpp"

#include <expected>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;

namespace rehearsal {

// Who opens the file decides what happens to it (contract section 2, "DB use").
enum class StoreUse {
  Migrates,  // gated, proxyd, webd, slakd, arizuko: mkdir store/, WAL, migrate
  Raw,       // timed, onbod, dashd: WAL only, an empty file stays empty
  Private,   // emaid.db: no WAL, no busy_timeout, no migration
  Owned,     // today's authd, runed: the file must be there, and is then migrated
  Probed,    // today's guests of routd.db: it must be there, migrated by routd
};

class Store {
 public:
  using Row = std::vector<std::string>;
  using Values = std::initializer_list<std::string_view>;

  // Errors in modernc.org/sqlite's words: "unable to open database file (14)".
  static std::expected<Store, std::string> open(const std::string& path, StoreUse use,
                                                Schema schema = Schema::Messages);

  // Runs one statement with ?1, ?2 ... bound to `values`.
  std::expected<void, std::string> run(std::string_view sql, Values values = {});
  // The same, with its rows as text; at most 10,000 of them.
  std::expected<std::vector<Row>, std::string> rows(std::string_view sql, Values values = {});
  // What timed's /health asks.
  bool ping();

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Store(std::unique_ptr<sqlite3, Close> database) : database_(std::move(database)) {}
  std::expected<void, std::string> script(const char* sql);
  std::expected<void, std::string> prepare_file(StoreUse use, Schema schema);
  std::expected<void, std::string> refuse_foreign_file();
  std::expected<void, std::string> migrate(Schema schema);
  std::string trouble() const;

  std::unique_ptr<sqlite3, Close> database_;
};

std::string messages_db(std::string_view data_dir);
// Today's: store/OWNER/FILE.db, as store/authd/auth.db and store/routd/routd.db.
std::string auth_db(std::string_view data_dir);
std::string routd_db(std::string_view data_dir);
std::string runed_db(std::string_view data_dir);
std::string onbod_db(std::string_view data_dir);

}  // namespace rehearsal
