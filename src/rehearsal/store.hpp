// The shared SQLite file, DATA_DIR/store/messages.db: contract.md section 6.
//
// WAL, busy_timeout 5000 ms, temporary tables in memory (the root may be read-only). The schema is
// the rehearsal's own and small; the file is marked with an application_id, and a file that holds
// tables without the mark is refused: a rehearsal must never write into a real instance's data.
#pragma once

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
};

class Store {
 public:
  using Row = std::vector<std::string>;
  using Values = std::initializer_list<std::string_view>;

  // Errors in modernc.org/sqlite's words: "unable to open database file (14)".
  static std::expected<Store, std::string> open(const std::string& path, StoreUse use);

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
  std::expected<void, std::string> prepare_file(StoreUse use);
  std::expected<void, std::string> refuse_foreign_file();
  std::expected<void, std::string> migrate();
  std::string trouble() const;

  std::unique_ptr<sqlite3, Close> database_;
};

std::string messages_db(std::string_view data_dir);

}  // namespace rehearsal
