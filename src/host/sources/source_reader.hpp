// Reads the values of a plan's sources while the instance runs, and says what is wrong with one key once.
#pragma once

#include <expected>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "arizuko/env/snapshot.hpp"
#include "arizuko/host/sources/environment_reader.hpp"
#include "arizuko/plan/plan.hpp"

namespace arizuko::host {

class SourceReader {
 public:
  /// Adds what is no source of its own: what was generated, what is made up for a rehearsal. May be unset.
  using Complete = std::function<void(const plan::Plan&, ReadResult&)>;
  /// `environment` is `environ`; `told`: what was said already, at the first reading.
  SourceReader(char** environment, Complete complete, const std::vector<std::string>& told)
      : environment_(environment), complete_(std::move(complete)), told_(told.begin(), told.end()) {}

  struct Read {
    /// With generation 0. The error, for people, says which source cannot be read: a problem a line.
    std::expected<env::SnapshotPtr, std::string> values;
    std::vector<std::string> notices;  // new ones: the trouble of one key each
  };
  Read read(const plan::Plan& plan);

 private:
  char** environment_;
  Complete complete_;
  std::set<std::string> told_;
};

}  // namespace arizuko::host
