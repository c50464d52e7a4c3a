// The only file that sees a process handle of Boost.Process: it is let go of in the expression that makes it.
// Its wait would reap beside the ProcessTable, and its destructor kills.
#include "arizuko/host/process/spawner.hpp"

#include <cassert>
#include <exception>
#include <vector>

#include <fmt/format.h>

#include "child_setup.hpp"
#include "clone_child.hpp"
#include "session_launcher.hpp"

namespace arizuko::host {
namespace {

std::string subject_of(SpawnStage stage, const ChildSpec& spec) {
  switch (stage) {
    case SpawnStage::executing: return spec.executable;
    case SpawnStage::entering_the_directory: return spec.cwd;
    case SpawnStage::setting_limits: return fmt::format("nofile = {}", spec.nofile);
    case SpawnStage::switching_the_group:
      return spec.gid ? fmt::format("gid {}", *spec.gid) : "supplementary groups";
    case SpawnStage::switching_the_user: return fmt::format("uid {}", spec.uid.value_or(0));
    case SpawnStage::marking_the_task:
    case SpawnStage::finding_the_program:
    case SpawnStage::making_the_log_pipes:
    case SpawnStage::making_the_control_group:
    case SpawnStage::emptying_the_control_group:
    case SpawnStage::forking:
    case SpawnStage::joining_the_control_group:
    case SpawnStage::starting_a_session:
    case SpawnStage::resetting_signals:
    case SpawnStage::placing_descriptors:
    case SpawnStage::dropping_privileges: return {};
  }
  return {};
}

}  // namespace

struct Spawner::Impl {
  explicit Impl(boost::asio::io_context& io) : executor(io.get_executor()), launcher(cloner) {}

  boost::asio::io_context::executor_type executor;
  SpawnPlaces places;
  Cloner cloner;
  SessionLauncher launcher;
};

Spawner::Spawner(boost::asio::io_context& io) : impl_(std::make_unique<Impl>(io)) { dispositions_changed(); }
Spawner::~Spawner() = default;

void Spawner::dispositions_changed() { impl_->launcher.reset_signals = changed_signals(); }

std::expected<pid_t, SpawnError> Spawner::spawn(const ChildSpec& spec) {
  SessionLauncher& launcher = impl_->launcher;
  assert((changed_signals() & ~launcher.reset_signals) == 0);
  launcher.birth.group = spec.group;
  try {
    std::vector<const char*> argv;  // a ready one, because argv[0] need not be the path
    argv.reserve(spec.argv.size() + 1);
    for (const std::string& each : spec.argv) argv.push_back(each.c_str());
    argv.push_back(nullptr);
    boost::system::error_code error;
    auto started = launcher(impl_->executor, error, spec.executable, argv.data(),
                            ChildSetup(impl_->places, spec), process::process_environment(spec.environment));
    const pid_t pid = started.id();
    started.detach();
    if (!error) return pid;
  } catch (const std::exception&) {  // std::bad_alloc, alone or in a system_error
    return std::unexpected(SpawnError{SpawnStage::forking, ENOMEM, {}});
  }
  const Progress& progress = launcher.progress;
  return std::unexpected(
      SpawnError{progress.stage, progress.error, subject_of(progress.stage, spec), progress.killed_by});
}

}  // namespace arizuko::host
