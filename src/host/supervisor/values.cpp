#include "values.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "arizuko/engine/reload.hpp"
#include "clock.hpp"

namespace arizuko::host {

namespace {

/// The first line that says something.
std::string first_problem(const std::string& reason) {
  const std::size_t begin = std::min(reason.find_first_not_of(" \n"), reason.size());
  return reason.substr(begin, reason.find('\n', begin) - begin);
}

std::string cause_of(engine::ReadSources::For what) {
  switch (what) {
    case engine::ReadSources::For::operator_: return "an operator asked for values that were held back";
    case engine::ReadSources::For::rest: return "the rest of a generation is taken";
    case engine::ReadSources::For::retry: return "a value is tried once more";
  }
  return "?";
}

}  // namespace

Values::Values(const Context& context, Supervisor::Reading reading, env::SnapshotPtr first,
               PlanIsAccepted plan_is_accepted)
    : context_(context),
      reload_(std::move(reading.reload)),
      plan_file_(std::move(reading.plan_file)),
      generated_(context),
      reader_(reading.environment, completing(std::move(reading.complete)), reading.notices),
      plan_is_accepted_(std::move(plan_is_accepted)),
      newest_(std::move(first)),
      generation_(newest_->generation),
      sources_plan_(context.engine.plan()) {
  context_.reporter.learn(*sources_plan_, *newest_);  // before the first line of our own
}

// What was generated comes first: a rehearsal makes up the rest.
SourceReader::Complete Values::completing(decltype(Supervisor::Reading::complete) make_up) {
  return [this, make_up = std::move(make_up)](const plan::Plan& plan, ReadResult& result) {
    generated_.add(plan, *newest_, result);
    if (make_up) make_up(plan, result.snapshot);
  };
}

// Another run may have made some while this one waited for the lock.
std::expected<void, std::string> Values::generate(std::string_view accepted) {
  guarded_.emplace(context_, accepted);
  const plan::Plan& plan = *sources_plan_;
  if (plan.env.generated.empty()) return {};
  auto fresh = read_sources();
  env::Snapshot values = fresh ? **fresh : *newest_;
  values.generation = generation_;
  if (auto made = generated_.make(plan, plan.env.generated, guarded_->store(), values); !made) return made;
  newest_ = std::make_shared<const env::Snapshot>(std::move(values));
  context_.reporter.learn(plan, *newest_);
  return {};
}

void Values::watch(std::string_view accepted) {
  if (!guarded_) guarded_.emplace(context_, accepted);
  sources_ = std::make_unique<SourceWatcher>(
      context_.io, sources_plan_->env.sources, [this](const std::string& cause) {
        if (stage_ != Stage::over)
          read_again(Answer::when_changed, cause,
                     engine::Instant(sources_->first_event().time_since_epoch()));
      });
  if (!sources_->trouble().empty()) context_.reporter.log(Level::warn, sources_->trouble());
}

void Values::start() {
  guarded_->report(*newest_);
  offer(Offer::followed, std::nullopt);
  // What changed between the first reading and the watch is told by nobody.
  if (stage_ != Stage::over)
    read_again(Answer::when_changed, "the sources changed at the start", std::nullopt);
  if (plan_file_.empty() || stage_ != Stage::followed) return;
  plan_watch_.emplace(context_.io, plan_file_, [this] { reload("changed plan file"); });
}

void Values::let_go() {
  if (stage_ != Stage::followed) return;
  stage_ = Stage::let_go;
  if (sources_) sources_->release();
  if (plan_watch_) plan_watch_->release();
}

void Values::end() {
  stage_ = Stage::over;
  if (guarded_) guarded_->end();
}

// ---------------------------------------------------------------------------------------------
// A new plan

CommandResult Values::reload(const std::string& by) {
  if (!sources_) return {false, "nothing is started yet: there is nothing to reload"};
  auto fresh = reload_();
  if (!fresh) {
    context_.reporter.log(Level::error,
                          fmt::format("reload ({}) refused, the running plan stays:\n{}", by, fresh.error()));
    tell_refusal(engine::InputRefused::Input::plan, fmt::format("a reload was asked for ({})", by),
                 fresh.error());
    return {false, fmt::format("refused, the running plan stays:\n{}", fresh.error())};
  }
  const engine::PlanPtr& plan = fresh->first;
  if (const std::string why = engine::fixed_in_a_run(context_.engine.plan()->pod, plan->pod); !why.empty())
    return refuse_reload(by, "refused: " + why);
  if (const std::string why = context_.engine.why_not(*plan); !why.empty()) {
    context_.reporter.log(Level::error,
                          fmt::format("reload ({}) refused, the running plan stays: {}", by, why));
    return {false, fmt::format("refused, the running plan stays: {}", why)};
  }
  if (const auto made = generate_new(*plan, *fresh->second); !made)
    return refuse_reload(by, "refused: " + made.error());
  context_.reporter.log(Level::info, fmt::format("reload: asked for by the {}", by));
  last_refusal_.clear();
  plan_is_accepted_(*plan);
  sources_plan_ = plan;
  sources_->set_sources(plan->env.sources);
  // Once more: what changed between the first reading and the watch is told by nobody.
  auto values_now = read_sources();
  number(values_now ? **values_now : *fresh->second);
  context_.inbox.push(engine::PlanChanged{plan});
  offer(Offer::asked, std::nullopt);
  const bool waits = context_.engine.view().values.waiting_values.has_value();
  return {true, waits ? "it waits for the end of the rotation that is under way: `arizuko-init secrets`"
                      : "reloaded: `arizuko-init status` shows what follows"};
}

// What the running plan names already, and has no value, is not made under a running instance.
std::expected<void, std::string> Values::generate_new(const plan::Plan& plan, env::Snapshot values) {
  std::vector<plan::Generated> added = plan.env.generated;
  std::erase_if(added, [&](const plan::Generated& each) {
    const std::vector<plan::Generated>& known = sources_plan_->env.generated;
    return std::ranges::find(known, each.key, &plan::Generated::key) != known.end();
  });
  if (added.empty()) return {};
  return generated_.make(plan, added, guarded_->store(), values);
}

CommandResult Values::refuse_reload(const std::string& by, const std::string& reason) {
  context_.reporter.log(Level::error, "reload " + reason);
  tell_refusal(engine::InputRefused::Input::plan, fmt::format("a reload was asked for ({})", by), reason);
  return {false, reason};
}

// A line of history, with the first problem; once, while it is the same: a source may be written over and
// over.
void Values::tell_refusal(engine::InputRefused::Input input, const std::string& cause,
                          const std::string& reason) {
  std::string first = first_problem(reason);
  if (std::exchange(last_refusal_, first) == first) return;
  context_.inbox.push(engine::InputRefused{input, context_.washed(cause), context_.washed(std::move(first))});
}

// ---------------------------------------------------------------------------------------------
// New values

std::expected<env::SnapshotPtr, std::string> Values::read_sources() {
  SourceReader::Read read = reader_.read(*sources_plan_);
  for (std::string& notice : read.notices) context_.reporter.log(Level::warn, std::move(notice));
  return std::move(read.values);
}

// What was read becomes the newest generation.
void Values::number(env::Snapshot snapshot) {
  snapshot.generation = ++generation_;
  newest_ = std::make_shared<const env::Snapshot>(std::move(snapshot));
  context_.reporter.learn(*sources_plan_, *newest_);
}

// A source changed, or a task may have written one. Content decides: equal values are no news. When nothing
// can be read now, the values that were read before are good.
void Values::read_again(Answer answer, const std::string& cause, std::optional<engine::Instant> switched) {
  auto fresh = read_sources();
  if (!fresh) {
    context_.reporter.log(
        Level::error,
        fmt::format("{}, but its values cannot be used, the old ones stay:\n{}", cause, fresh.error()));
    tell_refusal(engine::InputRefused::Input::values, cause, fresh.error());
    if (answer == Answer::always) offer(Offer::followed, std::nullopt);
    if (answer == Answer::again) {  // what was read last is still good
      number(*newest_);
      offer(Offer::again, std::nullopt);
    }
    return;
  }
  last_refusal_.clear();
  const bool news = !(*fresh)->same_content(*newest_);
  if (news || answer == Answer::again) number(**fresh);
  if (answer == Answer::again) return offer(Offer::again, switched);
  if (news || answer == Answer::always) offer(Offer::followed, switched);
}

void Values::offer(Offer how, std::optional<engine::Instant> switched) {
  context_.inbox.push(engine::EnvironmentChanged{
      .snapshot = newest_,
      .asked = how == Offer::asked,
      .again = how == Offer::again,
      .unlike_last_run = guarded_->unlike_last_run(*sources_plan_, *newest_),
      .switched = switched,
  });
}

void Values::task_has_ended(const std::string& task) {
  read_again(Answer::always, fmt::format("{} has ended", task), std::nullopt);
}

void Values::read(engine::ReadSources::For what) { read_again(Answer::again, cause_of(what), std::nullopt); }

void Values::note_ages() { ages_.note(context_.engine.values(), Clock::now()); }

}  // namespace arizuko::host
