#include "arizuko/host/sources/environment_reader.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <expected>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "arizuko/env/dotenv.hpp"
#include "arizuko/env/name.hpp"
#include "arizuko/posix/files.hpp"

namespace arizuko::host {
namespace {

using Weight = SourceProblem::Weight;
using Values = std::map<std::string, env::Value, std::less<>>;

// PID 1 reads in its loop, so the pauses of all sources together are bounded: about 100 ms.
constexpr int max_pauses = 5;
constexpr auto pause_length = std::chrono::milliseconds(20);

/// What a writer at work looks like from outside: tried again before it counts (kubernetes.md).
enum class Look { settled, moving };

/// After the last one, what is still in motion counts as it is.
enum class Attempt { one_of_several, last };

struct Trouble {
  Look look = Look::settled;
  bool absent = false;
  std::string what;
  std::string key = {};
};

std::string owner_and_mode(const struct stat& status) {
  return fmt::format("it belongs to uid {} gid {} with mode {:04o}, and this is uid {} gid {}", status.st_uid,
                     status.st_gid, status.st_mode & 07777, ::geteuid(), ::getegid());
}

Trouble cannot_open(int directory, const char* path, const posix::FileTrouble& why, std::string_view remedy) {
  Trouble trouble;
  trouble.look = why.error == ENOENT || why.error == EACCES ? Look::moving : Look::settled;
  trouble.absent = why.error == ENOENT;
  if (why.error == EINVAL || why.error == EISDIR) {
    trouble.what = why.what;
    return trouble;
  }
  trouble.what = fmt::format("cannot be read: {}", why.what);
  struct stat status{};
  if (why.error == EACCES && ::fstatat(directory, path, &status, 0) == 0) {
    trouble.what += fmt::format(": {}; {}", owner_and_mode(status), remedy);
  } else if (why.error == EACCES) {
    trouble.what += fmt::format(": a directory above it is closed to uid {}", ::geteuid());
  } else if (why.error == ENOENT && ::fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) == 0) {
    trouble.absent = false;
    trouble.what += ": a link to nothing";
  }
  return trouble;
}

struct File {
  std::string text;
  mode_t mode = 0;
};

bool same_content(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

/// All of an open file, at most `max_bytes`.
std::expected<File, Trouble> read_file(const posix::Descriptor& file, std::size_t max_bytes,
                                       std::string_view too_large) {
  struct stat before{};
  if (::fstat(file.get(), &before) != 0) return std::unexpected(Trouble{.what = std::strerror(errno)});
  auto text = posix::read_all(file, max_bytes);
  if (!text && text.error().error == EFBIG) return std::unexpected(Trouble{.what = std::string(too_large)});
  if (!text) return std::unexpected(Trouble{.what = fmt::format("cannot be read: {}", text.error().what)});
  struct stat after{};
  if (::fstat(file.get(), &after) != 0 || !same_content(before, after)) {
    return std::unexpected(Trouble{.look = Look::moving, .what = "changed while it was read"});
  }
  return File{std::move(*text), before.st_mode};
}

/// A name out of a directory may hold anything; what is shown of it is printable.
std::string printable(std::string_view name) {
  std::string text(name.substr(0, 128));
  std::ranges::replace_if(text, [](char c) { return c < 0x21 || c > 0x7e; }, '?');
  return text;
}

/// The values of one source, added up under its limits.
class Collector {
 public:
  Collector(const plan::Source& source, std::vector<SourceProblem>& problems)
      : source_(plan::to_text(source)),
        bounded_(source.kind != plan::Source::Kind::environment),
        only_(source.only),
        problems_(problems) {}

  void report(Weight weight, std::string_view key, std::string what, std::string_view place = {}) {
    problems_.push_back({.weight = only_ ? Weight::notice : weight,
                         .source = fmt::format("{}{}", source_, place),
                         .key = std::string(key),
                         .what = std::move(what)});
  }

  /// False when the source is full: said once, nothing more is taken.
  bool add(std::string_view name, std::string value) {
    if (!takes(name)) {
      ignored_.emplace(name);
      return true;
    }
    unusable_.erase(std::string(name));
    bytes_ += name.size() + value.size();
    if (!bounded_) {  // the kernel has bounded it: execve(2), E2BIG
      values_.insert_or_assign(std::string(name), env::Value{.text = std::move(value), .source = source_});
      return true;
    }
    if (bytes_ > max_source_bytes || (values_.size() >= max_source_keys && !values_.contains(name))) {
      report(Weight::error, {},
             bytes_ > max_source_bytes ? std::string("more than 1 MiB of values")
                                       : fmt::format("more than {} values", max_source_keys));
      return false;
    }
    values_.insert_or_assign(std::string(name), env::Value{.text = std::move(value), .source = source_});
    return true;
  }

  /// This key has no value, and a weaker source's is none for it either.
  void spoil(std::string_view name, std::string why, std::string_view place = {}) {
    if (!takes(name)) {
      ignored_.emplace(name);
      return;
    }
    report(Weight::notice, name, why, place);
    if (const auto found = values_.find(name); found != values_.end()) values_.erase(found);
    if (unusable_.size() < max_source_keys) unusable_.insert_or_assign(std::string(name), std::move(why));
  }

  /// Something is wrong with the source as a whole, or from some place on: of a source with `only`, what was
  /// not found cannot be told from what is not there. False: it is not such a source.
  bool spoil_the_rest(const std::string& why) {
    if (!only_) return false;
    for (const std::string& name : *only_) {
      if (!values_.contains(name)) unusable_.insert_or_assign(name, why);
    }
    return true;
  }

  void report_ignored() {
    if (ignored_.empty()) return;
    constexpr std::size_t shown = 5;
    std::string names;
    for (auto name = ignored_.begin(); name != ignored_.end() && names.size() < 400; ++name) {
      if (std::distance(ignored_.begin(), name) == shown) break;
      names += (names.empty() ? "" : ", ") + *name;
    }
    if (ignored_.size() > shown) names += fmt::format(" and {} more", ignored_.size() - shown);
    report(Weight::notice, {},
           fmt::format("ignored: {}. Of this source only these are taken: {} (env.sources). Put others into "
                       "another source",
                       names, fmt::join(*only_, ", ")));
  }

  bool holds(std::string_view name) const { return values_.contains(name) || unusable_.contains(name); }
  const std::string& source() const { return source_; }

  void merge_into(env::Snapshot& all) && {
    for (auto& [name, value] : values_) {
      all.values.insert_or_assign(name, std::move(value));
      all.unusable.erase(name);
    }
    for (auto& [name, why] : unusable_) {
      all.values.erase(name);
      all.unusable.insert_or_assign(name, fmt::format("{} ({})", why, source_));
    }
  }

 private:
  bool takes(std::string_view name) const {
    return !only_ || std::ranges::find(*only_, name) != only_->end();
  }

  std::string source_;
  bool bounded_;
  std::optional<std::vector<std::string>> only_;
  std::vector<SourceProblem>& problems_;
  Values values_;
  std::map<std::string, std::string, std::less<>> unusable_;
  std::set<std::string> ignored_;
  std::size_t bytes_ = 0;
};

std::string too_long() {
  return fmt::format("the value is longer than {} bytes, more than a process can be given",
                     env::max_value_bytes);
}

// -----------------------------------------------------------------------------------------------
// The process environment

void read_environment(char** entries, Collector& collector) {
  for (; entries != nullptr && *entries != nullptr; ++entries) {
    const std::string_view entry(*entries);
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = entry.substr(0, equals);
    // The pod may hold anything (BASH_FUNC_x%%, service links with dots): no child can ask for it.
    if (!env::is_valid_name(name)) continue;
    if (collector.holds(name)) continue;  // the first one is what getenv(3) finds
    std::string value(entry.substr(equals + 1));
    if (!env::is_valid_value(value)) {
      collector.spoil(name, too_long());
    } else if (!collector.add(name, std::move(value))) {
      return;
    }
  }
}

// -----------------------------------------------------------------------------------------------
// A dotenv file

std::optional<Trouble> read_dotenv(const std::string& path, Collector& collector) {
  const auto file = posix::open_to_read(AT_FDCWD, path, posix::Links::trusted);
  if (!file) {
    Trouble trouble = cannot_open(AT_FDCWD, path.c_str(), file.error(),
                                  "run `arizuko create` and the pod under the same uid, or chown it");
    trouble.look = Look::settled;  // no kubelet writes it
    return trouble;
  }
  auto read = read_file(*file, env::max_dotenv_bytes, "is larger than 1 MiB");
  if (!read) return std::move(read.error());

  if ((read->mode & 0077) != 0) {
    const bool others = (read->mode & 0007) != 0;
    collector.report(Weight::notice, {},
                     fmt::format("mode {:04o}: {} can read it; chmod 600", read->mode & 07777,
                                 others ? "others" : "its group"));
  }
  const env::Dotenv dotenv = env::parse_dotenv(read->text);
  for (const env::DotenvEntry& entry : dotenv.entries) {
    if (!collector.add(entry.name, entry.value)) break;
  }
  for (const env::DotenvProblem& problem : dotenv.problems) {
    const std::string place = problem.line == 0 ? std::string() : fmt::format(":{}", problem.line);
    const auto later = [&](const env::DotenvEntry& entry) {
      return entry.name == problem.name && entry.line > problem.line;
    };
    if (problem.only_the_value && std::ranges::none_of(dotenv.entries, later)) {
      collector.spoil(problem.name, problem.what, place);
      continue;
    }
    const bool fatal = problem.fatal && !problem.only_the_value;
    collector.report(fatal ? Weight::error : Weight::notice, problem.name, problem.what, place);
    if (fatal) collector.spoil_the_rest(problem.what);
  }
  return std::nullopt;
}

// -----------------------------------------------------------------------------------------------
// A directory of files

constexpr const char* generation_link = "..data";
constexpr std::size_t max_names = 4 * max_source_keys;  // that are looked at, whatever they are

/// What `..data` names; empty where there is none, or where it is no link.
std::string generation_of(const posix::Descriptor& directory) {
  std::string target(4096, '\0');
  const ssize_t size = ::readlinkat(directory.get(), generation_link, target.data(), target.size());
  target.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return target;
}

/// Sorted, without what begins with a dot: the kubelet's own names and hidden files.
std::expected<std::vector<std::string>, Trouble> names_in(const posix::Descriptor& directory) {
  auto own = posix::open_directory(directory.get(), ".", posix::Links::followed);
  DIR* stream = own ? ::fdopendir(own->get()) : nullptr;
  if (stream == nullptr) {
    const Look look = errno == EACCES || errno == ENOENT ? Look::moving : Look::settled;
    return std::unexpected(
        Trouble{.look = look, .what = fmt::format("cannot be listed: {}", std::strerror(errno))});
  }
  own->release();  // closedir closes it
  std::vector<std::string> names;
  std::size_t seen = 0;
  while (const dirent* entry = ::readdir(stream)) {
    if (++seen > max_names) {
      ::closedir(stream);
      return std::unexpected(Trouble{.what = fmt::format("holds more than {} names", max_names)});
    }
    if (entry->d_name[0] == '.') continue;
    if (names.size() > max_source_keys) break;  // Collector::add says so
    names.emplace_back(entry->d_name);
  }
  ::closedir(stream);
  std::ranges::sort(names);
  return names;
}

/// What an editor leaves at the edges of a file is no part of a secret: `tok\r\n` would be a wrong token.
void trim_edges(std::string& value, std::string_view name, Collector& collector) {
  std::string_view rest = value;
  std::string dropped;
  if (rest.starts_with("\xEF\xBB\xBF")) {
    rest.remove_prefix(3);
    dropped = "a byte order mark before the value";
  }
  if (rest.ends_with('\n')) rest.remove_suffix(1);  // `echo secret > file`
  if (rest.ends_with('\r')) {
    rest.remove_suffix(1);
    dropped += fmt::format("{}a carriage return after {}", dropped.empty() ? "" : " and ",
                           dropped.empty() ? "the value" : "it");
  }
  if (!dropped.empty()) collector.report(Weight::notice, name, fmt::format("dropped: {}", dropped));
  if (rest.size() < value.size()) value = std::string(rest);
}

std::optional<Trouble> read_key(const posix::Descriptor& directory, const std::string& name,
                                Collector& collector, bool& full) {
  const auto file = posix::open_to_read(directory.get(), name, posix::Links::trusted);
  if (!file) {
    if (file.error().error == EISDIR) return std::nullopt;
    return cannot_open(directory.get(), name.c_str(), file.error(),
                       "set fsGroup, or a defaultMode that it may read");
  }
  auto read = read_file(*file, env::max_value_bytes + 1, too_long());
  if (!read) return std::move(read.error());

  std::string& value = read->text;
  trim_edges(value, name, collector);
  if (value.find('\0') != std::string::npos) {
    collector.spoil(name, "the value holds a NUL byte");
  } else if (!env::is_valid_value(value)) {
    collector.spoil(name, too_long());
  } else {
    full = !collector.add(name, std::move(value));
  }
  return std::nullopt;
}

std::optional<Trouble> read_keys(const posix::Descriptor& directory, Collector& collector, Attempt attempt) {
  const auto names = names_in(directory);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (!env::is_valid_name(name)) {
      collector.report(Weight::notice, printable(name), "skipped: not a variable's name");
      continue;
    }
    bool full = false;
    if (auto trouble = read_key(directory, name, collector, full)) {
      if (trouble->look == Look::settled || attempt == Attempt::last) {
        collector.spoil(name, std::move(trouble->what));
        continue;
      }
      trouble->key = name;
      trouble->absent = false;
      return trouble;
    }
    if (full) break;
  }
  return std::nullopt;
}

std::optional<Trouble> read_directory(const std::string& path, Collector& collector, Attempt attempt) {
  const auto directory = posix::open_directory(AT_FDCWD, path, posix::Links::trusted);
  if (!directory) {
    if (directory.error().error == ENOTDIR) return Trouble{.what = "is not a directory"};
    return cannot_open(AT_FDCWD, path.c_str(), directory.error(), "open it to this uid");
  }
  const std::string generation = generation_of(*directory);
  if (generation.empty()) return read_keys(*directory, collector, attempt);

  // By the name that the link held, not through the link: what is read is this generation or nothing.
  const auto data = posix::open_directory(directory->get(), generation, posix::Links::trusted);
  if (!data) {
    Trouble trouble = cannot_open(directory->get(), generation.c_str(), data.error(), "set fsGroup");
    trouble.absent = false;
    trouble.what = fmt::format("..data: {}", trouble.what);
    return trouble;
  }
  auto trouble = read_keys(*data, collector, attempt);
  if (generation_of(*directory) != generation) {
    return Trouble{.look = Look::moving, .what = "..data moved at each attempt to read it"};
  }
  return trouble;
}

// -----------------------------------------------------------------------------------------------

void pause() {
  timespec rest{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(pause_length).count()};
  while (::nanosleep(&rest, &rest) != 0 && errno == EINTR) {
  }
}

class Reader {
 public:
  explicit Reader(char** process_environment) : process_environment_(process_environment) {}

  ReadResult run(const std::vector<plan::Source>& sources) {
    for (const plan::Source& source : sources) read(source);
    return std::move(result_);
  }

 private:
  void read(const plan::Source& source) {
    for (;;) {
      std::vector<SourceProblem> problems;
      Collector collector(source, problems);
      auto trouble = attempt(source, collector);
      if (trouble && trouble->absent) return;  // optional: empty
      if (trouble && trouble->look == Look::moving && pauses_left_ > 0) {
        --pauses_left_;
        pause();
        continue;
      }
      bool usable = true;
      if (trouble) {
        collector.report(Weight::error, trouble->key, trouble->what);
        usable = collector.spoil_the_rest(trouble->what);
      }
      collector.report_ignored();
      if (usable) std::move(collector).merge_into(result_.snapshot);
      std::ranges::move(problems, std::back_inserter(result_.problems));
      return;
    }
  }

  std::optional<Trouble> attempt(const plan::Source& source, Collector& collector) {
    switch (source.kind) {
      case plan::Source::Kind::environment:
        read_environment(process_environment_, collector);
        return std::nullopt;
      case plan::Source::Kind::dotenv: return read_dotenv(source.path, collector);
      case plan::Source::Kind::directory:
        return read_directory(source.path, collector,
                              pauses_left_ > 0 ? Attempt::one_of_several : Attempt::last);
    }
    return std::nullopt;
  }

  char** process_environment_;
  int pauses_left_ = max_pauses;
  ReadResult result_;
};

}  // namespace

std::string to_text(const SourceProblem& problem) {
  return problem.key.empty() ? fmt::format("{}: {}", problem.source, problem.what)
                             : fmt::format("{}: {}: {}", problem.source, problem.key, problem.what);
}

bool ReadResult::usable() const {
  return std::ranges::none_of(problems, [](const SourceProblem& p) { return p.weight == Weight::error; });
}

ReadResult read_sources(const std::vector<plan::Source>& sources, char** process_environment) {
  return Reader(process_environment).run(sources);
}

}  // namespace arizuko::host
