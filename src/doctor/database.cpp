// Whether the databases that the plan speaks of are databases at all, and whether the data are those of its
// line. What stands in a database is the daemons' affair: not read here.
#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "files.hpp"
#include "known.hpp"

namespace arizuko::doctor {

namespace {

// The first bytes of every SQLite database: sqlite.org/fileformat2.html, section 1.3.
constexpr std::string_view magic{"SQLite format 3\0", 16};

/// O_NONBLOCK: a FIFO in its place must not hold doctor up.
Descriptor opened(const std::string& path) {
  return Descriptor(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

bool begins_as_one(const Descriptor& file) {
  std::array<char, magic.size()> head{};
  const ssize_t got = ::pread(file.get(), head.data(), head.size(), 0);
  return got == std::ssize(head) && std::string_view(head.data(), head.size()) == magic;
}

Findings about(Severity severity, const std::string& path, std::string_view what, std::string_view why,
               std::string_view fix) {
  return one(severity, "database", {path, 0, 0}, "", what, why, fix);
}

bool is_there(const std::string& path) { return look_at(path).has_value(); }

/// `seeded`: the seed is done when this file is there. Of the others it makes some empty on purpose, and each
/// daemon fills its own.
enum class Empty { is_a_beginning, is_no_beginning };

Findings look_at_one(const std::string& path, Empty empty) {
  const auto info = look_at(path);
  if (!info) return {};
  if (S_ISREG(info->st_mode) && info->st_size == 0) {
    if (empty == Empty::is_a_beginning) return {};
    return about(Severity::warning, path, "the database is an empty file",
                 "the seed takes it for done, and the group main is never made (T13)",
                 "with the instance stopped take the file away: the seed runs at the next start");
  }
  const Descriptor file = opened(path);
  if (!file.is_open())
    return about(Severity::note, path, "the database cannot be read by who asks", "what it is, is not known",
                 "ask as the user that owns it");
  if (begins_as_one(file)) return {};
  return about(
      Severity::error, path, "it is no SQLite database", "the daemons that open it exit, or lose messages",
      fmt::format("stop the instance and put a backup back, or save what is left: sqlite3 {} .recover",
                  path));
}

/// A task is done by one file and makes more: who opens one of these that is missing exits at its start.
Findings look_for_missing(const Context& context) {
  Findings found;
  for (const plan::Service* each : running(context)) {
    if (!each->creates || !is_there(*each->creates)) continue;
    for (const std::string& path : each->verify) {
      if (!path.ends_with(".db") || is_there(path)) continue;
      append(found,
             about(Severity::error, path, fmt::format("the database is missing, and {} is done", each->name),
                   fmt::format("{} counts as done because {} is there: it does not make this one again, "
                               "and the daemon that opens it exits at its start",
                               each->name, *each->creates),
                   "stop the instance and put it back from the backup that the others are from"));
    }
  }
  return found;
}

/// Databases in the directory of the data directory where the seed puts its own, and one below: not those of
/// `known`.
std::vector<std::string> strangers(const std::string& directory, const std::vector<std::string>& known) {
  constexpr std::size_t most = 10'000;
  std::vector<std::string> found;
  std::size_t looked = 0;
  std::error_code failed;
  using Walk = std::filesystem::recursive_directory_iterator;
  const auto quietly = std::filesystem::directory_options::skip_permission_denied;
  for (Walk it(directory, quietly, failed), end; !failed && it != end && ++looked < most;
       it.increment(failed)) {
    if (it.depth() > 0) it.disable_recursion_pending();
    const std::string path = it->path().string();
    if (!path.ends_with(".db") || std::ranges::find(known, path) != known.end()) continue;
    if (const Descriptor file = opened(path); file.is_open() && begins_as_one(file)) found.push_back(path);
  }
  std::ranges::sort(found);
  return found;
}

/// "<data dir>/store" of "<data dir>/store/routd/routd.db"; empty: it lies in the data directory itself.
std::string top_directory(const std::string& data_dir, const std::string& path) {
  const std::size_t slash = path.find('/', data_dir.size() + 1);
  return slash == std::string::npos ? std::string{} : path.substr(0, slash);
}

}  // namespace

Findings data_of_another_line(const Context& context) {
  const std::vector<std::string> known = databases(context);
  Findings found;
  for (const std::string& path : seeded_databases(context)) {
    const std::string directory = top_directory(context.plan.pod.data_dir, path);
    if (is_there(path) || directory.empty()) continue;
    const std::vector<std::string> others = strangers(directory, known);
    if (others.empty()) continue;
    const std::string who = others.size() == 1
                                ? std::string("this database is")
                                : fmt::format("this database and {} more are", others.size() - 1);
    append(found,
           about(Severity::error, others.front(),
                 fmt::format("{} none of the plan's, and {} is not there", who, path),
                 "the next start would seed an empty instance beside the one that is here: another line's, "
                 "which was not migrated, or one whose main database is lost",
                 "take the plan that fits the data, migrate them, put the backup back, or move them away: "
                 "docs/how-to/which-plan.md"));
  }
  return found;
}

Findings check_database(const Context& context) {
  const std::vector<std::string> all = databases(context);
  const std::vector<std::string> seeded = seeded_databases(context);
  Findings found;
  for (const std::string& path : all) {
    const bool is_seeded = std::ranges::find(seeded, path) != seeded.end();
    append(found, look_at_one(path, is_seeded ? Empty::is_no_beginning : Empty::is_a_beginning));
  }
  append(found, look_for_missing(context));
  append(found, data_of_another_line(context));
  return found;
}

}  // namespace arizuko::doctor
