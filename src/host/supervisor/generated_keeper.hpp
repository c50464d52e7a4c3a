// Generated values while the instance runs: made at the start and for a new plan, and kept when their file
// goes.
#pragma once

#include <expected>
#include <set>
#include <string>
#include <vector>

#include "arizuko/env/snapshot.hpp"
#include "arizuko/host/sources/environment_reader.hpp"
#include "arizuko/host/state/generated_store.hpp"
#include "arizuko/host/state/guarded_store.hpp"
#include "context.hpp"

namespace arizuko::host {

class GeneratedKeeper {
 public:
  explicit GeneratedKeeper(const Context& context) : context_(context), store_(context.state) {}

  /// Makes those of `keys` that `snapshot` has no value for, and gives them to it. A guarded key is only made
  /// for an instance without data, and never where `guarded` knows of one that is lost: what is stored in
  /// the database under no value, or under another one, would be lost with it (T16). The error is a sentence;
  /// then some of them may be made.
  std::expected<void, std::string> make(const plan::Plan& plan, const std::vector<plan::Generated>& keys,
                                        const GuardedStore& guarded, env::Snapshot& snapshot);

  /// Adds what is kept to a reading. A generated value of the reading before whose file is gone or empty by
  /// now stays, and its file is written again.
  void add(const plan::Plan& plan, const env::Snapshot& before, ReadResult& read);

 private:
  bool may_be_made(const plan::Plan& plan, const plan::Generated& what, const GuardedStore& guarded);
  void put_back(const std::string& key, const env::Value& value);
  void warn(const std::string& text);

  const Context& context_;
  GeneratedStore store_;
  std::set<std::string> told_;
};

}  // namespace arizuko::host
