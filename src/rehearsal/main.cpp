// Which stand-in to be: argv[0]'s base name, or the first argument after `arizuko-rehearsal`.
#include "daemons.hpp"
#include "faults.hpp"
#include "slog.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <span>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view usage =
    R"(arizuko-rehearsal: stand-ins for arizuko's daemons. It is not arizuko.

  arizuko-rehearsal NAME [ARGUMENT]...   or called by the name itself

NAME: gated, or authd routd runed, timed onbod dashd proxyd webd ttsd teled discd slakd emaid mastd
      bskyd reditd linkd whapd twitd, `arizuko create INSTANCE [--product P]`, or `agent`: what an
      agent's container runs; --help, --version

A daemon that both lines of arizuko have plays today's where REHEARSAL_LINE=today, or AUTHD_URL,
AUTHD_SERVICE_KEY or APP_SRC_DIR is set, else that of the gated line.

Each keeps the daemon's contract: environment, ports, health, registration, SQLite, logs, signals
and exit codes. Faults are asked for while it runs, one a line:
  - in the file $REHEARSAL_FAULTS_DIR/NAME, or $DATA_DIR/rehearsal/faults/NAME,
    or $REHEARSAL_DIR/faults/NAME, or ./rehearsal/faults/NAME (the first of these that is set);
  - as the body of POST /v1/rehearsal/fault on the daemon's own port, from 127.0.0.1;
  - before the start, in REHEARSAL_FAULTS, separated by commas.

)";

int dispatch(std::string_view name, std::span<char* const> arguments) {
  using namespace rehearsal;
  // ps, top and pgrep show the daemon that is played, as they would the real one.
  ::prctl(PR_SET_NAME, std::string(name).c_str());
  if (name == "gated") return run_gated();
  if (name == "authd") return run_authd();
  if (name == "routd") return run_routd();
  if (name == "runed") return run_runed();
  if (name == "timed") return run_timed();
  if (name == "onbod") return run_onbod();
  if (name == "dashd") return run_dashd();
  if (name == "proxyd") return run_proxyd();
  if (name == "webd") return run_webd();
  if (name == "ttsd") return run_ttsd();
  if (name == "agent") return run_agent();
  if (name == "arizuko") return run_arizuko(arguments);
  if (name == "runaway") return run_runaway();
  if (is_adapter(name)) return run_adapter(name, arguments);
  if (name == "--version") {
    write_all(1, fmt::format("arizuko-rehearsal {} (rehearsal, not arizuko)\n", ARIZUKO_VERSION));
    return 0;
  }
  const bool asked = name == "--help" || name == "-h";
  write_all(asked ? 1 : 2, fmt::format("{}{}", usage, fault_help()));
  return asked ? 0 : 64;
}

}  // namespace

int main(int argc, char** argv) {
  std::span<char* const> arguments(argv, static_cast<std::size_t>(argc));
  std::string_view name = arguments.empty() ? "arizuko-rehearsal" : arguments.front();
  name = name.substr(name.rfind('/') + 1);
  if (!arguments.empty()) arguments = arguments.subspan(1);
  if (name == "arizuko-rehearsal") {
    name = arguments.empty() ? "" : arguments.front();
    if (!arguments.empty()) arguments = arguments.subspan(1);
  } else if (!arguments.empty() && std::string_view(arguments.front()) == "--version") {
    name = "--version";
  }
  return dispatch(name, arguments);
}
