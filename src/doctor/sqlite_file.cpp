#include "sqlite_file.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <map>
#include <stdexcept>

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arizuko/posix/files.hpp"
#include "files.hpp"

namespace arizuko::doctor {

namespace {

using Bytes = std::vector<unsigned char>;

constexpr std::size_t most_wal_bytes = 64 * 1024 * 1024;
constexpr std::size_t most_pages = 20'000;
constexpr std::size_t most_rows = 10'000;
constexpr std::uint64_t most_row_bytes = 1024 * 1024;
constexpr int deepest = 20;

/// Thrown and caught in this file only: the way out of a format that does not fit, from any depth.
struct Unreadable : std::runtime_error {
  using Kind = SqliteError::Kind;
  Unreadable(Kind what_kind, const std::string& phrase) : std::runtime_error(phrase), kind(what_kind) {}
  Kind kind;
};
constexpr auto damaged = SqliteError::Kind::damaged;
constexpr auto not_here = SqliteError::Kind::not_here;

/// A view that refuses to be left.
class View {
 public:
  View(const unsigned char* data, std::size_t size) : data_(data), size_(size) {}
  explicit View(const Bytes& bytes) : View(bytes.data(), bytes.size()) {}

  std::size_t size() const { return size_; }
  View from(std::size_t at, std::size_t size) const {
    if (at > size_ || size > size_ - at)
      throw Unreadable(damaged, "it is damaged: something lies outside of its page");
    return {data_ + at, size};
  }
  std::uint64_t big_endian(std::size_t at, std::size_t size) const {
    const View part = from(at, size);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | part.data_[i];
    return value;
  }
  std::uint32_t u32(std::size_t at) const { return static_cast<std::uint32_t>(big_endian(at, 4)); }
  std::uint16_t u16(std::size_t at) const { return static_cast<std::uint16_t>(big_endian(at, 2)); }
  std::uint8_t u8(std::size_t at) const { return static_cast<std::uint8_t>(big_endian(at, 1)); }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  void append_to(Bytes& bytes) const { bytes.insert(bytes.end(), data_, data_ + size_); }

  /// Up to nine bytes, seven bits each, the ninth eight; moves `at` behind it.
  std::uint64_t varint(std::size_t& at) const {
    std::uint64_t value = 0;
    for (int i = 0; i < 9; ++i) {
      const std::uint8_t byte = u8(at++);
      if (i == 8) return value << 8 | byte;
      value = value << 7 | (byte & 0x7fU);
      if ((byte & 0x80U) == 0) break;
    }
    return value;
  }

 private:
  const unsigned char* data_;
  std::size_t size_;
};

Bytes read_at(int file, std::uint64_t at, std::size_t size) {
  Bytes bytes(size);
  std::size_t had = 0;
  while (had < size) {
    const ssize_t got = ::pread(file, bytes.data() + had, size - had, static_cast<off_t>(at + had));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    had += static_cast<std::size_t>(got);
  }
  bytes.resize(had);
  return bytes;
}

/// The commits that are not in the database file yet: which page's newest version lies where in the WAL.
class Wal {
 public:
  Wal(const std::string& path, std::uint32_t page_size) {
    if (auto opened = posix::open_to_read(AT_FDCWD, path, posix::Links::followed)) file_ = std::move(*opened);
    struct stat info{};
    if (!file_.is_open() || ::fstat(file_.get(), &info) != 0 ||
        info.st_size < static_cast<off_t>(header_size))
      return;
    if (static_cast<std::uint64_t>(info.st_size) > most_wal_bytes)
      throw Unreadable(not_here, fmt::format("its WAL is larger than {} MiB", most_wal_bytes >> 20));
    header_ = read_at(file_.get(), 0, header_size);
    if (header_.size() == header_size) index(page_size, static_cast<std::uint64_t>(info.st_size));
  }

  std::optional<Bytes> page(std::uint32_t number, std::size_t size) const {
    const auto found = pages_.find(number);
    if (found == pages_.end()) return std::nullopt;
    return read_at(file_.get(), found->second, size);
  }

  /// It was started anew meanwhile: what was read may be of two times.
  bool was_reset() const {
    return file_.is_open() && !header_.empty() && read_at(file_.get(), 0, header_size) != header_;
  }

 private:
  static constexpr std::size_t header_size = 32;
  static constexpr std::size_t frame_header_size = 24;

  struct Sum {
    std::uint32_t one = 0;
    std::uint32_t two = 0;
    bool operator==(const Sum&) const = default;
  };

  Sum checksum(Sum sum, View bytes) const {
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      sum.one += word(bytes, at) + sum.two;
      sum.two += word(bytes, at + 4) + sum.one;
    }
    return sum;
  }
  std::uint32_t word(View bytes, std::size_t at) const {
    const std::uint32_t value = bytes.u32(at);
    return big_endian_sums_ ? value : __builtin_bswap32(value);
  }

  void index(std::uint32_t page_size, std::uint64_t size) {
    const View header(header_);
    const std::uint32_t magic = header.u32(0);
    if ((magic & ~1U) != 0x377f0682U || header.u32(8) != page_size) return;
    big_endian_sums_ = (magic & 1U) != 0;
    Sum sum = checksum({}, header.from(0, 24));
    if (sum != Sum{header.u32(24), header.u32(28)}) return;
    std::map<std::uint32_t, std::uint64_t> begun;  // of a transaction whose commit has not been seen
    for (std::uint64_t at = header_size; at + frame_header_size + page_size <= size;
         at += frame_header_size + page_size) {
      const Bytes bytes = read_at(file_.get(), at, frame_header_size + page_size);
      if (bytes.size() != frame_header_size + page_size) return;
      const View frame(bytes);
      if (frame.big_endian(8, 8) != header.big_endian(16, 8)) return;  // salts: of an older round
      sum = checksum(checksum(sum, frame.from(0, 8)), frame.from(frame_header_size, page_size));
      if (sum != Sum{frame.u32(16), frame.u32(20)}) return;
      begun[frame.u32(0)] = at + frame_header_size;
      if (frame.u32(4) == 0) continue;
      for (const auto& [number, where] : begun) pages_[number] = where;
      begun.clear();
    }
  }

  Descriptor file_;
  Bytes header_;
  bool big_endian_sums_ = false;
  std::map<std::uint32_t, std::uint64_t> pages_;
};

class Database {
 public:
  explicit Database(const std::string& path) {
    auto opened = posix::open_to_read(AT_FDCWD, path, posix::Links::followed);
    if (!opened) throw Unreadable(not_here, fmt::format("it cannot be read: {}", opened.error().what));
    file_ = std::move(*opened);
    const Bytes head = read_at(file_.get(), 0, 100);
    if (head.empty()) throw Unreadable(SqliteError::Kind::empty, "it is empty");
    const View header(head);
    if (head.size() != 100 || !header.text().starts_with(std::string_view("SQLite format 3\0", 16)))
      throw Unreadable(damaged, "it is no SQLite database");
    page_size_ = header.u16(16) == 1 ? 65536 : header.u16(16);
    if (page_size_ < 512 || !std::has_single_bit(page_size_) || header.u8(20) > page_size_ - 480)
      throw Unreadable(damaged, "it is damaged: its page size cannot be");
    usable_ = page_size_ - header.u8(20);
    if (header.u32(56) > 1) throw Unreadable(not_here, "its text is not UTF-8");
    wal_.emplace(path + "-wal", page_size_);
  }

  bool was_reset() const { return wal_->was_reset(); }

  using Row = std::vector<SqliteValue>;

  /// All rows of the table whose first page is `root`.
  std::vector<Row> rows(std::uint32_t root) {
    std::vector<Row> all;
    walk(root, 0, all);
    return all;
  }

 private:
  Bytes page(std::uint32_t number) {
    if (number == 0 || ++pages_read_ > most_pages)
      throw Unreadable(not_here, "it is damaged, or the table is too large to be read here");
    std::optional<Bytes> newest = wal_->page(number, page_size_);
    if (newest && newest->size() == page_size_) return *std::move(newest);
    Bytes bytes = read_at(file_.get(), static_cast<std::uint64_t>(number - 1) * page_size_, page_size_);
    if (bytes.size() != page_size_) throw Unreadable(damaged, "it is damaged: a page is missing");
    return bytes;
  }

  void walk(std::uint32_t number, int depth, std::vector<Row>& all) {
    constexpr std::uint8_t interior = 0x05;
    constexpr std::uint8_t leaf = 0x0d;
    if (depth > deepest) throw Unreadable(damaged, "it is damaged: its tree is too deep");
    const Bytes bytes = page(number);
    const View view(bytes);
    const std::size_t header = number == 1 ? 100 : 0;
    const std::uint8_t type = view.u8(header);
    if (type != interior && type != leaf)
      throw Unreadable(not_here, "the table is of a form that is not read here");
    const std::size_t cells = view.u16(header + 3);
    const std::size_t pointers = header + (type == interior ? 12 : 8);
    for (std::size_t i = 0; i < cells; ++i) {
      const std::size_t cell = view.u16(pointers + 2 * i);
      if (type == interior) {
        walk(view.u32(cell), depth + 1, all);
        continue;
      }
      if (all.size() >= most_rows)
        throw Unreadable(not_here, fmt::format("the table has more than {} rows", most_rows));
      all.push_back(row(payload(view, cell)));
    }
    if (type == interior) walk(view.u32(header + 8), depth + 1, all);
  }

  /// The bytes of a leaf's cell, with what lies on overflow pages.
  Bytes payload(View view, std::size_t at) {
    const std::uint64_t size = view.varint(at);
    view.varint(at);  // the rowid
    if (size > most_row_bytes) throw Unreadable(not_here, "a row is too large to be read here");
    const std::uint64_t most = usable_ - 35;
    const std::uint64_t least = (usable_ - 12) * 32 / 255 - 23;
    const std::uint64_t wanted = least + (size - std::min(size, least)) % (usable_ - 4);
    const std::uint64_t here = size <= most ? size : wanted <= most ? wanted : least;
    Bytes bytes;
    view.from(at, here).append_to(bytes);
    std::uint32_t next = here < size ? view.u32(at + here) : 0;
    while (bytes.size() < size) {
      const Bytes more = page(next);
      const View part(more);
      next = part.u32(0);
      part.from(4, std::min<std::size_t>(size - bytes.size(), usable_ - 4)).append_to(bytes);
    }
    return bytes;
  }

  static Row row(const Bytes& bytes) {
    const View view(bytes);
    std::size_t at = 0;
    const std::uint64_t header_size = view.varint(at);
    std::uint64_t body = header_size;
    Row values;
    while (at < header_size) {
      const std::uint64_t type = view.varint(at);
      const std::size_t size = size_of(type);
      values.push_back(value(type, view.from(body, size)));
      body += size;
    }
    return values;
  }

  static std::size_t size_of(std::uint64_t type) {
    constexpr std::array<std::size_t, 12> sizes = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
    return type < sizes.size() ? sizes[type] : static_cast<std::size_t>((type - 12) / 2);
  }

  static SqliteValue value(std::uint64_t type, View bytes) {
    SqliteValue value;
    if (type >= 13 && type % 2 == 1) value.text = std::string(bytes.text());
    if (type == 8 || type == 9) value.number = static_cast<std::int64_t>(type - 8);
    if (type >= 1 && type <= 6) {
      const auto unused = static_cast<unsigned>(64 - 8 * bytes.size());
      value.number = static_cast<std::int64_t>(bytes.big_endian(0, bytes.size()) << unused) >> unused;
    }
    return value;
  }

  Descriptor file_;
  std::uint32_t page_size_ = 0;
  std::uint32_t usable_ = 0;
  std::size_t pages_read_ = 0;
  std::optional<Wal> wal_;
};

bool same_word(std::string_view left, std::string_view right) {
  return std::ranges::equal(
      left, right, [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

SqliteTable read_once(const std::string& path, std::string_view name) {
  Database database(path);
  SqliteTable table;
  // sqlite_schema, always at page 1: type, name, tbl_name, rootpage, sql.
  for (const Database::Row& entry : database.rows(1)) {
    if (entry.size() < 5 || entry[0].text != "table" || entry[1].text != name || !entry[3].number) continue;
    table.found = true;
    table.columns = columns_of(entry[4].text.value_or(""));
    table.rows = database.rows(static_cast<std::uint32_t>(*entry[3].number));
  }
  if (database.was_reset()) throw Unreadable(not_here, "it is being written to; ask again");
  return table;
}

}  // namespace

std::string SqliteTable::text(std::size_t row, std::string_view column) const {
  for (std::size_t i = 0; i < columns.size() && i < rows[row].size(); ++i) {
    if (same_word(columns[i], column)) return rows[row][i].text.value_or("");
  }
  return {};
}

std::vector<std::string> columns_of(std::string_view statement) {
  constexpr std::array<std::string_view, 5> constraints = {"PRIMARY", "UNIQUE", "CHECK", "FOREIGN",
                                                           "CONSTRAINT"};
  constexpr std::string_view blank = " \t\r\n";
  std::vector<std::string> names;
  const std::size_t open = statement.find('(');
  int depth = 0;
  bool at_start = true;
  for (std::size_t at = open; at < statement.size(); ++at) {
    const char c = statement[at];
    if (c == '(') ++depth;
    if (c == ')' && --depth == 0) break;
    if (depth == 1 && c == ',') at_start = true;
    if (c == '(' || c == ',' || blank.find(c) != blank.npos || depth != 1 || !at_start) continue;
    const bool quoted = c == '"' || c == '`' || c == '[';
    const std::size_t from = at + (quoted ? 1 : 0);
    const std::size_t to = std::min(
        quoted ? statement.find(c == '[' ? ']' : c, from) : statement.find_first_of(" \t\r\n,()", from),
        statement.size());
    const std::string_view word = statement.substr(from, to - from);
    const bool constraint =
        !quoted && std::ranges::any_of(constraints, [&](auto each) { return same_word(each, word); });
    if (!constraint) names.emplace_back(word);
    at_start = false;
    at = quoted ? to : to - 1;
  }
  return names;
}

std::expected<SqliteTable, SqliteError> read_sqlite_table(const std::string& path, std::string_view table) {
  constexpr int tries = 3;  // a checkpoint may get between two reads
  for (int i = 1;; ++i) {
    try {
      return read_once(path, table);
    } catch (const Unreadable& error) {
      if (i == tries) return std::unexpected(SqliteError{error.kind, error.what()});
    }
  }
}

}  // namespace arizuko::doctor
