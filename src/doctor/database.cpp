// Whether store/messages.db is a database at all. What stands in it is the daemons' affair: not read here.
#include <array>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "files.hpp"

namespace arizuko::doctor {

namespace {

// The first bytes of every SQLite database: sqlite.org/fileformat2.html, section 1.3.
constexpr std::string_view magic{"SQLite format 3\0", 16};

bool begins_as_one(const Descriptor& file) {
  std::array<char, magic.size()> head{};
  const ssize_t got = ::pread(file.get(), head.data(), head.size(), 0);
  return got == std::ssize(head) && std::string_view(head.data(), head.size()) == magic;
}

}  // namespace

Findings check_database(const Context& context) {
  const std::string path = context.plan.pod.data_dir + "/store/messages.db";
  const auto finding = [&](Severity severity, std::string_view what, std::string_view why,
                           std::string_view fix) {
    return one(severity, "database", {path, 0, 0}, "", what, why, fix);
  };
  const auto info = look_at(path);
  if (!info) return {};  // the seed makes it
  if (S_ISREG(info->st_mode) && info->st_size == 0)
    return finding(Severity::warning, "the database is an empty file",
                   "the seed takes it for done, and the group main is never made (T13)",
                   "with the instance stopped take the file away: the seed runs at the next start");
  // O_NONBLOCK: a FIFO in its place must not hold doctor up.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!file.is_open())
    return finding(Severity::note, "the database cannot be read by who asks", "what it is, is not known",
                   "ask as the user that owns it");
  if (begins_as_one(file)) return {};
  return finding(
      Severity::error, "it is no SQLite database",
      "gated and all that read the database exit, or lose messages",
      fmt::format("stop the instance and put a backup back, or save what is left: sqlite3 {} .recover",
                  path));
}

}  // namespace arizuko::doctor
