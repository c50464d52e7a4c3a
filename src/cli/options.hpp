// What the command line said, as plain data: filled in by command_line.cpp, taken by the commands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arizuko/cli/command_line.hpp"
#include "arizuko/plan/load.hpp"

namespace arizuko::cli {

namespace exit_code {
inline constexpr int yes = 0;
inline constexpr int no = 1;
inline constexpr int nobody_answers = 2;
inline constexpr int usage = 64;        // sysexits.h: EX_USAGE
inline constexpr int fault = 70;        // EX_SOFTWARE
inline constexpr int not_allowed = 77;  // EX_NOPERM
inline constexpr int wrong_plan = 78;   // EX_CONFIG
}  // namespace exit_code

enum class Output { text, json };
enum class Mode { real, rehearsal };

/// A pod that is not this one: its files come from a manifest, and of its sources only what the manifest
/// says.
struct Elsewhere {
  std::optional<plan::File> plan;    // instead of the file that PlanOptions names
  std::vector<plan::File> drop_ins;  // behind those of that file
};

struct PlanOptions {
  std::string plan;  // empty: the default places
  std::vector<plan::Override> overrides;
  Mode mode = Mode::real;
  std::optional<Elsewhere> elsewhere;  // then no source is read but the process environment
};

struct RunOptions {
  PlanOptions plan;
  std::string control;  // wins over pod.control
  std::optional<plan::LogFormat> log;
};

struct CheckOptions {
  PlanOptions plan;
  Output output = Output::text;
  std::string pod;  // a rendered manifest to hold against the plan, "-" is stdin; empty: the plan only
};

struct DoctorOptions {
  PlanOptions plan;
  Output output = Output::text;
};

struct HealthOptions {
  PlanOptions plan;
  std::string probe = "readyz";  // readyz, livez or startupz
  double timeout_seconds = 3;
};

struct ClientOptions {
  std::string control;  // --control or ARIZUKO_INIT_CONTROL; empty: look for it
  Output output = Output::text;
  std::vector<std::string> services;
  bool follow = false;
  std::optional<std::uint64_t> lines;
  std::optional<std::uint64_t> after;
  std::optional<double> wait_seconds;
  enum class SecretsAction { show, accept, retry };
  SecretsAction secrets_action = SecretsAction::show;
  std::string key;  // secrets: of the action; empty: retry all
};

enum class Verb { start, stop, restart };

int run_instance(const RunOptions& options, const Console& console);
int check(const CheckOptions& options, const Console& console);
int check_pod(const CheckOptions& options, const Console& console);
int doctor(const DoctorOptions& options, const Console& console);
int healthcheck(const HealthOptions& options, const Console& console);
int status(const ClientOptions& options, const Console& console);
int why(const ClientOptions& options, const Console& console);
int command(Verb verb, const ClientOptions& options, const Console& console);
int reload(const ClientOptions& options, const Console& console);
int logs(const ClientOptions& options, const Console& console);
int events(const ClientOptions& options, const Console& console);
int secrets(const ClientOptions& options, const Console& console);

}  // namespace arizuko::cli
