// Whatever a manifest holds, `check --pod` ends in findings or in one problem with its place, never in a
// crash, and every finding says what, why and how to mend it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "arizuko/doctor/pod.hpp"
#include "arizuko/host/sources/plan_files.hpp"

namespace {

using namespace arizuko;

void require(bool held) {
  if (!held) std::abort();
}

std::optional<std::string> nothing(std::string_view) { return std::nullopt; }

const std::vector<plan::File>& stock_files() {
  static const std::vector<plan::File> files =
      host::read_plan_files(ARIZUKO_SOURCE_DIR "/etc/arizuko.toml").value();
  return files;
}

const plan::Plan& stock() {
  static const plan::Plan plan = plan::load(stock_files(), {}, nothing).value();
  return plan;
}

std::optional<std::string> value_in(const std::vector<std::string>& entries, std::string_view name) {
  for (const std::string& each : entries) {
    if (each.size() > name.size() && each.starts_with(name) && each[name.size()] == '=')
      return each.substr(name.size() + 1);
  }
  return std::nullopt;
}

/// As the command does it: the plan is the pod's own, as far as the manifest says.
void look_at(const doctor::Manifest& manifest, const doctor::Workload& workload) {
  const doctor::PodPlan its = doctor::plan_of(manifest, workload);
  static_cast<void>(doctor::check_plan(manifest, workload, its));
  std::vector<plan::File> files = its.plan ? std::vector{*its.plan} : stock_files();
  files.insert(files.end(), its.drop_ins.begin(), its.drop_ins.end());
  const std::vector<std::string> environment =
      doctor::environment_of(manifest, workload, {"/etc/arizuko/config", "/etc/arizuko/secrets"});
  const auto plan = plan::load(files, doctor::overrides_of(manifest, workload),
                               [&](std::string_view name) { return value_in(environment, name); });
  for (const doctor::Finding& each : doctor::check_pod(manifest, workload, plan ? *plan : stock(), {})) {
    require(!each.check.empty() && !each.what.empty() && !each.why.empty() && !each.fix.empty());
    require(!doctor::place_text(each).empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto manifest = doctor::read_manifest("m.yaml", {reinterpret_cast<const char*>(data), size});
  if (!manifest) {
    require(manifest.error().where.line > 0 && !plan::to_text(manifest.error()).empty());
    return 0;
  }
  const std::vector<doctor::Workload> workloads = doctor::find_workloads(*manifest, &stock());
  if (workloads.empty()) require(!doctor::no_workload(*manifest).what.empty());
  for (const doctor::Workload& each : workloads) look_at(*manifest, each);
  return 0;
}
