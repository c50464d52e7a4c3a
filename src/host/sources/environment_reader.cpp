#include "arizuko/host/sources/environment_reader.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "arizuko/env/dotenv.hpp"
#include "arizuko/env/name.hpp"
#include "arizuko/posix/files.hpp"
#include "collector.hpp"
#include "directory_source.hpp"

namespace arizuko::host {
namespace {

using Weight = SourceProblem::Weight;

// PID 1 reads in its loop, so the pauses of all sources together are bounded: about 100 ms.
constexpr int max_pauses = 5;
constexpr auto pause_length = std::chrono::milliseconds(20);

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

std::optional<SourceTrouble> read_dotenv(const std::string& path, Collector& collector) {
  const auto file = posix::open_to_read(AT_FDCWD, path, posix::Links::trusted);
  if (!file) {
    SourceTrouble trouble = cannot_open(AT_FDCWD, path.c_str(), file.error(),
                                        "run `arizuko create` and the pod under the same uid, or chown it");
    trouble.motion = Motion::settled;  // no kubelet writes it
    return trouble;
  }
  auto read = read_whole(*file, env::max_dotenv_bytes, "is larger than 1 MiB");
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
      if (trouble && trouble->motion == Motion::moving && pauses_left_ > 0) {
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

  std::optional<SourceTrouble> attempt(const plan::Source& source, Collector& collector) {
    switch (source.kind) {
      case plan::Source::Kind::environment:
        read_environment(process_environment_, collector);
        return std::nullopt;
      case plan::Source::Kind::dotenv: return read_dotenv(source.path, collector);
      case plan::Source::Kind::directory:
        return read_directory(source.path, collector,
                              pauses_left_ > 0 ? Attempt::one_of_several : Attempt::last);
      case plan::Source::Kind::generated: return std::nullopt;  // add_generated(): weaker than all of these
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
