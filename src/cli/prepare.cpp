#include "prepare.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "arizuko/base/shown.hpp"
#include "arizuko/env/joined.hpp"
#include "arizuko/host/process/find_executable.hpp"
#include "arizuko/host/sources/environment_reader.hpp"
#include "arizuko/host/sources/plan_files.hpp"
#include "arizuko/host/supervisor/generated_values.hpp"
#include "arizuko/plan/load.hpp"
#include "rehearse.hpp"

namespace arizuko::cli {

namespace {

Refusal refusal(int code, std::string line) { return {code, {}, {std::move(line)}}; }
Refusal refusal(plan::Problems problems) { return {exit_code::wrong_plan, std::move(problems), {}}; }

plan::Lookup lookup_in(char** process_environment) {
  return [process_environment](std::string_view name) -> std::optional<std::string> {
    for (char** entry = process_environment; entry != nullptr && *entry != nullptr; ++entry) {
      const std::string_view text = *entry;
      if (text.size() > name.size() && text.starts_with(name) && text[name.size()] == '=') {
        return std::string(text.substr(name.size() + 1));
      }
    }
    return std::nullopt;
  };
}

plan::Lookup lookup_in(const env::Snapshot& snapshot) {
  return [&snapshot](std::string_view name) -> std::optional<std::string> {
    const std::string* value = snapshot.find(name);
    return value == nullptr ? std::nullopt : std::optional(*value);
  };
}

/// Notes what is wrong with the sources; refuses when one is not usable and its values are needed.
std::expected<void, Refusal> take_problems(const std::vector<host::SourceProblem>& problems, Values values,
                                           std::vector<std::string>& notices) {
  Refusal refused;
  for (const host::SourceProblem& problem : problems) {
    const bool fatal = problem.weight == host::SourceProblem::Weight::error && values == Values::needed;
    std::vector<std::string>& lines = fatal ? refused.lines : notices;
    std::string line = host::to_text(problem);
    // A source that is read in both steps is reported once.
    if (std::ranges::find(lines, line) == lines.end()) lines.push_back(std::move(line));
  }
  if (!refused.lines.empty()) return std::unexpected(std::move(refused));
  return {};
}

bool overridden(const std::vector<plan::Override>& overrides, std::string_view key) {
  return std::ranges::find(overrides, key, &plan::Override::key) != overrides.end();
}

/// The steps of plan/load.hpp, and the rehearsal's changes on the way.
class Preparation {
 public:
  Preparation(const PlanOptions& options, Values values, char** process_environment)
      : options_(options),
        overrides_(options.overrides),
        values_(values),
        environment_(process_environment) {}

  std::expected<Prepared, Refusal> run() {
    // libstdc++ 12 has std::expected without and_then.
    for (const auto step :
         {&Preparation::choose_plan, &Preparation::find_files, &Preparation::read_early, &Preparation::load,
          &Preparation::move_data_dir, &Preparation::read_values, &Preparation::rehearse}) {
      Step done = (this->*step)();
      if (!done) return std::unexpected(std::move(done.error()));
    }
    prepared_.files = std::move(files_);
    prepared_.overrides = std::move(overrides_);
    return std::move(prepared_);
  }

 private:
  using Step = std::expected<void, Refusal>;

  Step choose_plan() {
    PlanChoice& choice = prepared_.choice;
    if (options_.elsewhere && options_.elsewhere->plan) {
      choice.file = options_.elsewhere->plan->path;
      return {};
    }
    choice.file = options_.plan;
    if (!choice.file.empty()) return {};
    const std::vector<std::string> places = plan_directories(own_executable());
    std::vector<StockPlan> plans = stock_plans(places);
    if (plans.empty()) {
      return std::unexpected(refusal(
          exit_code::wrong_plan,
          fmt::format("there is no plan: looked for {} and {} in {}; name one with --plan FILE",
                      plan_file_of(Line::gated), plan_file_of(Line::routd), fmt::join(places, " and "))));
    }
    if (plans.size() > 1) std::ranges::for_each(plans, [this](StockPlan& each) { look_for_router(each); });
    choice = choose(std::move(plans));
    // Who only looks is better served by some plan than by none, and a rehearsal needs no daemon.
    if (is_doubtful(choice) && values_ == Values::needed && options_.mode == Mode::real)
      return std::unexpected(refusal(exit_code::wrong_plan, to_text(choice)));
    return {};
  }

  /// In the PATH that the plan gives its children. What is wrong with a plan is told when it is taken.
  void look_for_router(StockPlan& plan) const {
    plan.search_path = plan::Pod{}.path;
    if (const auto files = host::read_plan_files(plan.file)) {
      if (const auto sources = plan::early_sources(*files, overrides_, lookup_in(environment_))) {
        const env::Snapshot early = read(*sources).snapshot;
        if (const auto loaded = plan::load(*files, overrides_, lookup_in(early)))
          plan.search_path = loaded->pod.path;
      }
    }
    plan.router = host::find_executable(router_of(plan.line), plan.search_path).value_or("");
  }

  Step find_files() {
    if (options_.elsewhere && options_.elsewhere->plan) {
      files_ = {*options_.elsewhere->plan};
    } else {
      auto files = host::read_plan_files(prepared_.choice.file);
      if (!files) return std::unexpected(refusal(std::move(files.error())));
      files_ = std::move(*files);
    }
    if (options_.elsewhere)
      files_.insert(files_.end(), options_.elsewhere->drop_ins.begin(), options_.elsewhere->drop_ins.end());
    return {};
  }

  host::ReadResult read(std::vector<plan::Source> sources) const {
    if (options_.elsewhere)
      std::erase_if(sources,
                    [](const plan::Source& each) { return each.kind != plan::Source::Kind::environment; });
    return host::read_sources(sources, environment_);
  }

  Step read_early() {
    const auto sources = plan::early_sources(files_, overrides_, lookup_in(environment_));
    if (!sources) return std::unexpected(refusal(sources.error()));
    host::ReadResult result = read(*sources);
    early_ = std::move(result.snapshot);
    return take_problems(result.problems, values_, prepared_.notices);
  }

  Step load() {
    auto plan = plan::load(files_, overrides_, lookup_in(early_));
    if (!plan) return std::unexpected(refusal(std::move(plan.error())));
    prepared_.plan = std::move(*plan);
    return {};
  }

  // A rehearsal never writes where an instance of the same name lives, unless told so.
  Step move_data_dir() {
    if (options_.mode == Mode::real || overridden(overrides_, "pod.data_dir") || early_.has("HOST_DATA_DIR"))
      return {};
    auto directory =
        rehearsal_data_dir(prepared_.plan.pod.instance, line_of(prepared_.plan), lookup_in(environment_));
    if (!directory) return std::unexpected(refusal(exit_code::not_allowed, directory.error()));
    overrides_.push_back({"pod.data_dir", std::move(*directory)});
    return load();
  }

  Step read_values() {
    host::ReadResult result = read(prepared_.plan.env.sources);
    if (!options_.elsewhere) {
      const std::string state = prepared_.plan.pod.data_dir + "/.arizuko-init";
      host::add_generated(host::StateDir::at(state), prepared_.plan.env, result);
    }
    prepared_.snapshot = std::move(result.snapshot);
    env::refuse_broken_lists(prepared_.plan, prepared_.snapshot);
    return take_problems(result.problems, values_, prepared_.notices);
  }

  Step rehearse() {
    if (options_.mode == Mode::real) return {};
    const auto program =
        find_rehearsal_program(own_executable(), lookup_in(environment_)("PATH").value_or(""));
    if (!program) return std::unexpected(refusal(exit_code::wrong_plan, program.error()));
    use_program(prepared_.plan, *program);
    const std::vector<std::string> names = make_up_values(prepared_.plan, prepared_.snapshot);
    prepared_.notices.push_back(fmt::format("this is a rehearsal: {} stands in for every daemon, in {}",
                                            *program, prepared_.plan.pod.data_dir));
    if (!names.empty()) {
      prepared_.notices.push_back(
          fmt::format("made up for the rehearsal, because unset: {}", fmt::join(names, ", ")));
    }
    return {};
  }

  const PlanOptions& options_;
  std::vector<plan::Override> overrides_;
  Values values_;
  char** environment_;
  std::vector<plan::File> files_;
  env::Snapshot early_;
  Prepared prepared_;
};

}  // namespace

std::string Refusal::text() const {
  std::string out;
  for (const plan::Problem& problem : problems) out += base::shown(plan::to_text(problem)) + '\n';
  for (const std::string& line : lines) out += line + '\n';
  return out;
}

std::string own_executable() {
  std::array<char, 4096> buffer{};
  const ssize_t size = ::readlink("/proc/self/exe", buffer.data(), buffer.size());
  return size > 0 ? std::string(buffer.data(), static_cast<std::size_t>(size)) : std::string{};
}

std::expected<Prepared, Refusal> prepare(const PlanOptions& options, Values values,
                                         char** process_environment) {
  return Preparation(options, values, process_environment).run();
}

}  // namespace arizuko::cli
