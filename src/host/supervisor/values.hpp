// Plan and values while the instance runs: read, numbered, offered to the engine.
//
// What is news, what may be taken and who follows is the engine's to decide. Nothing here gives out a value.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arizuko/host/sources/source_watcher.hpp"
#include "arizuko/host/supervisor/supervisor.hpp"
#include "context.hpp"
#include "generated_keeper.hpp"
#include "guarded_keeper.hpp"
#include "host/sources/plan_file_watch.hpp"
#include "host/sources/source_reader.hpp"
#include "key_ages.hpp"

namespace arizuko::host {

class Values {
 public:
  /// One that was read anew and can be taken is told before it is.
  using PlanIsAccepted = std::function<void(const plan::Plan&)>;
  /// `first`: the values that the engine gets first. They are known from now on, and told by start().
  Values(const Context& context, Supervisor::Reading reading, env::SnapshotPtr first,
         PlanIsAccepted plan_is_accepted);

  /// Reads the sources anew, and makes those of env.generated that have no value. Under the data directory's
  /// lock, before watch(), and only by `run`. The error is a sentence. `accepted`: ARIZUKO_ACCEPT_GUARDED.
  std::expected<void, std::string> generate(std::string_view accepted);
  /// What changes from here on is told. Before start().
  void watch(std::string_view accepted);
  /// The engine gets the first values, and what changed since they were read.
  void start();
  /// Nothing follows a changed value or plan any more: the pod stops.
  void let_go();
  /// The run is over.
  void end();

  CommandResult reload(const std::string& by);
  CommandResult accept(std::string_view key, std::string by);
  CommandResult retry(std::optional<std::string> key, std::string by);
  std::vector<KeyFacts> keys() const;

  /// A task has ended: it may have written a source (`arizuko create` writes .env).
  void task_has_ended(const std::string& task);
  void read(engine::ReadSources::For what);
  void remember(const engine::Remember& action) { guarded_->remember(action); }
  /// A turn is over: other values may be in force.
  void note_ages();

 private:
  std::expected<env::SnapshotPtr, std::string> read_sources();
  enum class Answer { when_changed, always, again };
  void read_again(Answer answer, const std::string& cause, std::optional<engine::Instant> switched);
  enum class Offer { followed, again, asked };
  void offer(Offer how, std::optional<engine::Instant> switched);
  void number(env::Snapshot snapshot);
  SourceReader::Complete completing(decltype(Supervisor::Reading::complete) make_up);
  std::expected<void, std::string> generate_new(const plan::Plan& plan, env::Snapshot values);
  void tell_refusal(engine::InputRefused::Input input, const std::string& cause, const std::string& reason);
  CommandResult refuse_reload(const std::string& by, const std::string& reason);

  const Context& context_;
  using Reload = decltype(Supervisor::Reading::reload);
  Reload reload_;
  std::string plan_file_;
  GeneratedKeeper generated_;
  SourceReader reader_;
  PlanIsAccepted plan_is_accepted_;
  env::SnapshotPtr newest_;       // the last values that were read and given to the engine
  env::Generation generation_;    // theirs
  engine::PlanPtr sources_plan_;  // whose sources are read: newer than the engine's while that has to wait
  std::unique_ptr<SourceWatcher> sources_;
  std::optional<PlanFileWatch> plan_watch_;
  std::optional<GuardedKeeper> guarded_;  // from generate() or watch() on
  KeyAges ages_;
  std::string last_refusal_;  // of a plan or of values, as last told
  enum class Stage { followed, let_go, over } stage_ = Stage::followed;
};

}  // namespace arizuko::host
