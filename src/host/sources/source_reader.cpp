#include "source_reader.hpp"

#include <memory>
#include <utility>

#include "arizuko/env/joined.hpp"
#include "arizuko/host/sources/environment_reader.hpp"

namespace arizuko::host {

namespace {

constexpr std::size_t most_told = 256;

std::string problems_of(const ReadResult& read) {
  std::string text;
  for (const SourceProblem& problem : read.problems) text += (text.empty() ? "" : "\n") + to_text(problem);
  return text;
}

}  // namespace

SourceReader::Read SourceReader::read(const plan::Plan& plan) {
  ReadResult result = read_sources(plan.env.sources, environment_);
  if (result.usable()) {
    if (complete_) complete_(plan, result);
    env::refuse_broken_lists(plan, result.snapshot);
  }
  Read read;
  if (told_.size() >= most_told) told_.clear();
  for (const SourceProblem& problem : result.problems) {
    if (problem.weight != SourceProblem::Weight::notice) continue;
    if (std::string text = to_text(problem); told_.insert(text).second)
      read.notices.push_back(std::move(text));
  }
  if (!result.usable()) {
    read.values = std::unexpected(problems_of(result));
    return read;
  }
  read.values = std::make_shared<const env::Snapshot>(std::move(result.snapshot));
  return read;
}

}  // namespace arizuko::host
