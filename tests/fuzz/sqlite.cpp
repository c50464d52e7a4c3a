// Whatever a database and its WAL hold, reading a table of it ends in rows or in a phrase, never in a crash,
// and within its bounds.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

#include "doctor/sqlite_file.hpp"

namespace {

void require(bool held) {
  if (!held) std::abort();
}

void write(const std::string& path, const std::uint8_t* data, std::size_t size) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
}

/// A database of this process's own, gone with it.
struct Place {
  Place()
      : directory(std::filesystem::temp_directory_path() / ("arizuko-fuzz-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(directory);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { std::filesystem::remove_all(directory); }
  std::filesystem::path directory;
};

}  // namespace

/// The last two bytes say how many before them are the WAL, in units of 8; what is left is the database.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place place;
  static const std::string path = (place.directory / "messages.db").string();
  if (size < 2) return 0;
  size -= 2;
  const std::size_t wal = std::min<std::size_t>(size, std::size_t{8} * (data[size] * 256U + data[size + 1]));
  write(path, data, size - wal);
  write(path + "-wal", data + size - wal, wal);
  const auto table = arizuko::doctor::read_sqlite_table(path, "proxyd_routes");
  if (!table) {
    require(!table.error().phrase.empty());
    return 0;
  }
  require(table->found || table->rows.empty());
  for (std::size_t row = 0; row < table->rows.size(); ++row) {
    static_cast<void>(table->text(row, "path"));
    static_cast<void>(table->text(row, "backend"));
  }
  return 0;
}
