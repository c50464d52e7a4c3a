#include "plan_file_watch.hpp"

#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "arizuko/host/sources/plan_files.hpp"

namespace arizuko::host {

namespace {

// Events are enough for files that people save and kubelets switch; a look every 30 s would wake up an
// instance that has nothing else to do.
constexpr SourceRhythm rhythm{.compare = std::chrono::hours(24)};

/// The path itself where there is no working directory any more.
std::string absolute(const std::string& path) {
  std::error_code removed;
  const std::filesystem::path whole = std::filesystem::absolute(path, removed);
  return removed ? path : whole.lexically_normal().string();
}

}  // namespace

PlanFileWatch::PlanFileWatch(boost::asio::io_context& io, const std::string& path,
                             std::function<void()> changed)
    : path_(absolute(path)), changed_(std::move(changed)) {
  using enum plan::Source::Kind;
  const std::vector<plan::Source> files = {{.kind = dotenv, .path = path_},
                                           {.kind = directory, .path = path_ + ".d"}};
  watcher_ = std::make_unique<SourceWatcher>(io, files, [this](const std::string&) { look(); }, rhythm);
  seen_ = text();  // after the watch is set up: what changes from here on is told
}

std::string PlanFileWatch::text() const {
  const auto files = read_plan_files(path_);
  if (!files) return "";  // missing for a moment, or for good: who reads it says which
  std::string text;
  for (const plan::File& file : *files)
    text += fmt::format("{}\n{}\n{}\n", file.path, file.text.size(), file.text);
  return text;
}

void PlanFileWatch::look() {
  std::string now = text();
  if (now == seen_) return;
  seen_ = std::move(now);
  changed_();
}

}  // namespace arizuko::host
