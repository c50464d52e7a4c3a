// Reads one table of an SQLite database without SQLite, and without touching the file.
//
// Of the format (sqlite.org/fileformat2.html): tables with rowids, UTF-8, overflow pages, and the commits
// that still lie in the WAL. Opening with the library, even for reading, would create the -shm file and take
// locks beside a running instance; here nothing is written. So a writer may get between two reads: the WAL's
// header is compared at the end, and what does not fit together is an error, never a wrong row kept silently
// where that can be seen. For questions of people, not for decisions of machines.
//
// Bounds: 64 MiB of WAL, 20,000 pages, 10,000 rows, 1 MiB a row.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace arizuko::doctor {

/// A value of a row: text, or a number as text is not wanted of it; blobs, floats and NULL are neither.
struct SqliteValue {
  std::optional<std::string> text;
  std::optional<std::int64_t> number;
};

struct SqliteTable {
  bool found = false;                // false: the database has no such table
  std::vector<std::string> columns;  // in the rows' order
  std::vector<std::vector<SqliteValue>> rows;

  /// The text of a column, or empty.
  std::string text(std::size_t row, std::string_view column) const;
};

struct SqliteError {
  enum class Kind {
    damaged,   // no SQLite can make sense of it
    empty,     // a file of no bytes: for SQLite a database without a table
    not_here,  // good as it is, but not for this reader, or not now
  };
  Kind kind = Kind::not_here;
  std::string phrase;  // "it is no SQLite database"
};

std::expected<SqliteTable, SqliteError> read_sqlite_table(const std::string& path, std::string_view table);

/// The names of the columns of a CREATE TABLE statement.
std::vector<std::string> columns_of(std::string_view create_statement);

}  // namespace arizuko::doctor
