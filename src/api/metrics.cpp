#include "metrics.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "arizuko/api/version.hpp"
#include "arizuko/posix/files.hpp"

namespace arizuko::api {

namespace {

std::string seconds_text(engine::Nanoseconds duration) {
  return fmt::format("{:.6f}", std::chrono::duration<double>(duration).count());
}

std::string unix_text(std::int64_t unix_nanoseconds) {
  return fmt::format("{}.{:03}", unix_nanoseconds / 1'000'000'000,
                     unix_nanoseconds % 1'000'000'000 / 1'000'000);
}

class Page {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
  }
  void sample(std::string_view labels, std::string_view value) {
    text_ += labels.empty() ? fmt::format("{} {}\n", name_, value)
                            : fmt::format("{}{{{}}} {}\n", name_, labels, value);
  }
  void sample(std::string_view labels, std::uint64_t value) { sample(labels, std::to_string(value)); }
  void single(std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
    family(name, type, help);
    sample("", value);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::string name_;
};

std::string label(std::string_view name, std::string_view value) {
  return fmt::format("{}=\"{}\"", name, escape_label(value));
}

void pod_families(Page& page, const host::Instance& instance) {
  const engine::View& view = instance.view();
  page.family("arizuko_init_build_info", "gauge", "Always 1; the version is a label.");
  page.sample(label("version", version), 1);
  page.family("arizuko_init_pod_state", "gauge", "1 for the state that the pod is in, 0 for the others.");
  for (const engine::PodState state : engine::all_pod_states) {
    page.sample(label("state", engine::to_text(state)), view.state == state ? 1 : 0);
  }
  page.single("arizuko_init_pod_ready", "gauge", "1 while /readyz answers 200.", view.ready ? 1 : 0);
  page.single("arizuko_init_pod_opened", "gauge", "1 once every service of ready_when was ready.",
              view.opened ? 1 : 0);
  page.single("arizuko_init_pod_seeded", "gauge", "1 when every task is done.", view.seeded ? 1 : 0);
  page.single("arizuko_init_generation", "gauge", "Generation of the values in force.",
              view.values.generation);
  page.family("arizuko_init_pod_start_timestamp_seconds", "gauge", "When the run began, Unix time.");
  page.sample("", unix_text(instance.unix_nanoseconds(view.started)));
  if (view.state == engine::PodState::running) {
    page.family("arizuko_init_pod_start_seconds", "gauge",
                "From the beginning of the run until everything in ready_when had been ready.");
    page.sample("", seconds_text(view.since - view.started));
  }
}

std::uint64_t held(const engine::View& view, engine::HeldWhy why) {
  return static_cast<std::uint64_t>(
      std::count_if(view.values.held_keys.begin(), view.values.held_keys.end(),
                    [why](const engine::HeldKeyView& each) { return each.why == why; }));
}

// Which values are in use, and what became of new ones. Nothing here is derived from a value.
void rotation_families(Page& page, const host::Instance& instance) {
  const engine::View& view = instance.view();
  if (view.values.values_since) {
    page.family("arizuko_init_values_timestamp_seconds", "gauge",
                "When the values in force were taken, Unix time.");
    page.sample("", unix_text(instance.unix_nanoseconds(*view.values.values_since)));
  }
  page.family("arizuko_init_rotations_total", "counter",
              "Generations of new values, by what became of them.");
  for (std::size_t i = 0; i < engine::outcomes; ++i) {
    page.sample(label("outcome", engine::to_text(static_cast<engine::Outcome>(i))), view.values.rotations[i]);
  }
  const bool active = view.values.rotation && !view.values.rotation->outcome;
  page.single("arizuko_init_rotation_active", "gauge", "1 while services restart for new values.",
              active ? 1 : 0);
  page.single("arizuko_init_rotation_waiting", "gauge", "1 while a generation of values waits for its turn.",
              view.values.waiting_values ? 1 : 0);
  page.single("arizuko_init_guarded_keys_held", "gauge",
              "Guarded keys whose new value waits for an operator.", held(view, engine::HeldWhy::guarded));
  page.family("arizuko_init_values_held", "gauge",
              "Values of the sources that are not in force, by the reason why they are held back.");
  for (std::size_t i = 0; i < engine::held_whys; ++i) {
    const auto why = static_cast<engine::HeldWhy>(i);
    page.sample(label("reason", engine::to_text(why)), held(view, why));
  }
  const std::optional<engine::RotationView>& last = view.values.rotation;
  page.family("arizuko_init_rotation_switch_timestamp_seconds", "gauge",
              "When the source of the last rotation changed, Unix time.");
  if (last && last->switched) page.sample("", unix_text(instance.unix_nanoseconds(*last->switched)));
  page.family("arizuko_init_rotation_ready_seconds", "gauge",
              "From that change until every service it restarted was ready again.");
  if (last && last->all_ready) {
    page.sample("", seconds_text(*last->all_ready - last->switched.value_or(last->began)));
  }
}

void service_state_families(Page& page, const host::Instance& instance) {
  const std::vector<engine::ServiceView>& services = instance.view().services;
  page.family("arizuko_init_service_state", "gauge",
              "1 for the state that the service is in, 0 for the others.");
  for (const engine::ServiceView& service : services) {
    for (const engine::State state : engine::all_states) {
      page.sample(label("service", service.name) + ',' + label("state", engine::to_text(state)),
                  service.state == state ? 1 : 0);
    }
  }
  page.family("arizuko_init_service_state_timestamp_seconds", "gauge",
              "Since when the service is in its state, Unix time.");
  for (const engine::ServiceView& service : services) {
    page.sample(label("service", service.name), unix_text(instance.unix_nanoseconds(service.since)));
  }
  page.family("arizuko_init_service_ready_timestamp_seconds", "gauge",
              "When the present run of the service became ready, Unix time; absent before that.");
  for (const engine::ServiceView& service : services) {
    if (!service.run.ready_at) continue;
    page.sample(label("service", service.name), unix_text(instance.unix_nanoseconds(*service.run.ready_at)));
  }
  page.family("arizuko_init_service_start_seconds", "gauge",
              "From the spawn to ready, the last time the service became ready.");
  for (const engine::ServiceView& service : services) {
    if (service.run.start_time)
      page.sample(label("service", service.name), seconds_text(*service.run.start_time));
  }
}

void service_count_families(Page& page, const host::Instance& instance) {
  const std::vector<engine::ServiceView>& services = instance.view().services;
  page.family("arizuko_init_service_restarts_total", "counter", "Runs of the service after the first.");
  for (const engine::ServiceView& service : services) {
    page.sample(label("service", service.name), service.runs.restarts);
  }
  page.family("arizuko_init_service_exits_total", "counter",
              "How the main processes of the service ended: an exit code, or the name of a signal.");
  for (const engine::ServiceView& service : services) {
    for (const auto& [code, count] : service.runs.exits) {
      page.sample(label("service", service.name) + ',' + label("code", code), count);
    }
  }
  page.family("arizuko_init_service_failures", "gauge", "Failures within the window of the crash budget.");
  for (const engine::ServiceView& service : services) {
    page.sample(label("service", service.name), service.runs.failures);
  }
  page.family("arizuko_init_service_generation", "gauge",
              "Generation of the values that the service runs with.");
  for (const engine::ServiceView& service : services) {
    page.sample(label("service", service.name), service.run.generation);
  }
  page.family("arizuko_init_service_old_values", "gauge",
              "1 while the service runs with other values than it would be started with now.");
  for (const engine::ServiceView& service : services) {
    page.sample(label("service", service.name), service.run.old_values ? 1 : 0);
  }
}

using Counted = std::optional<std::uint64_t> host::GroupUsage::*;

// By the services' control groups: only where there are some, for the page is asked often.
void usage_families(Page& page, const host::Instance& instance) {
  if (instance.control_groups().path.empty()) return;
  const std::vector<engine::ServiceView>& services = instance.view().services;
  std::vector<std::optional<host::GroupUsage>> used;
  for (std::size_t id = 0; id < services.size(); ++id) {
    used.push_back(instance.usage(static_cast<plan::ServiceId>(id)));
  }
  const auto family = [&](std::string_view name, std::string_view type, std::string_view help,
                          Counted counted) {
    page.family(name, type, help);
    for (std::size_t id = 0; id < services.size(); ++id) {
      if (!used[id] || !((*used[id]).*counted)) continue;
      page.sample(label("service", services[id].name), *((*used[id]).*counted));
    }
  };
  family("arizuko_init_service_memory_bytes", "gauge", "Memory of all processes of the service.",
         &host::GroupUsage::memory_bytes);
  family("arizuko_init_service_memory_peak_bytes", "gauge", "The most that it ever was.",
         &host::GroupUsage::memory_peak_bytes);
  family("arizuko_init_service_memory_kills_total", "counter",
         "Processes of the service that were OOM-killed.", &host::GroupUsage::memory_kills);
  family("arizuko_init_service_processes", "gauge", "Processes and threads of the service.",
         &host::GroupUsage::processes);
  page.family("arizuko_init_service_cpu_seconds_total", "counter",
              "Processor time of all processes of the service.");
  for (std::size_t id = 0; id < services.size(); ++id) {
    if (!used[id] || !used[id]->cpu_microseconds) continue;
    page.sample(label("service", services[id].name),
                fmt::format("{:.6f}", static_cast<double>(*used[id]->cpu_microseconds) / 1e6));
  }
  page.family("arizuko_init_service_memory_max_bytes", "gauge", "The plan's memory_max of the service.");
  for (std::size_t id = 0; id < services.size() && id < instance.plan().services.size(); ++id) {
    const std::optional<std::uint64_t>& most = instance.plan().services[id].group.memory_max;
    if (most) page.sample(label("service", services[id].name), *most);
  }
}

void agent_families(Page& page, const host::Instance& instance) {
  const std::optional<host::AgentsFacts> facts = instance.agents();
  if (!facts) return;
  page.single("arizuko_init_agents_off", "gauge", "1 while no agent can run: CONTAINER_BACKEND is none.",
              std::uint64_t{facts->off()});
  page.family("arizuko_init_agents_failures", "gauge",
              "Turns of the group's agents that failed in a row, three or more; absent else.");
  for (const host::FailingAgents& each : facts->failing)
    page.sample(label("group", each.group), each.failures);
}

void own_families(Page& page, const host::Instance& instance, const ProcessFacts& facts) {
  const host::Counters counters = instance.counters();
  page.single("arizuko_init_orphans_reaped_total", "counter",
              "Processes that were nobody's main process and were reaped.", counters.orphans_reaped);
  page.single("arizuko_init_log_lines_total", "counter", "Log lines taken from the services.",
              counters.log_lines);
  page.single("arizuko_init_log_lines_dropped_total", "counter",
              "Log lines lost because nobody read our stdout, or memory ran out.",
              counters.log_lines_dropped);
  page.single("arizuko_init_log_lines_cut_total", "counter", "Log lines cut at their largest length.",
              counters.log_lines_cut);
  page.single("arizuko_init_log_written_bytes_total", "counter", "Bytes written to our stdout.",
              counters.log_bytes_written);
  page.single("arizuko_init_redactions_total", "counter",
              "Secret values that were replaced in log lines and other texts.", counters.redactions);
  page.single("process_resident_memory_bytes", "gauge", "Resident memory of arizuko-init itself.",
              facts.resident_bytes);
  page.family("process_cpu_seconds_total", "counter", "Processor time of arizuko-init itself.");
  page.sample("", fmt::format("{:.3f}", facts.cpu_seconds));
}

}  // namespace

std::string escape_label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '"')
      out += "\\\"";
    else if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

ProcessFacts process_facts() {
  ProcessFacts facts;
  // proc(5): statm is "size resident shared ...", in pages.
  if (const auto text = posix::read_kernel_file(AT_FDCWD, "/proc/self/statm", 256)) {
    std::uint64_t resident = 0;
    const std::size_t from = std::min(text->find(' ') + 1, text->size());
    const char* end = text->data() + text->size();
    if (std::from_chars(text->data() + from, end, resident).ec == std::errc{})
      facts.resident_bytes = resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  timespec used{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0) {
    facts.cpu_seconds = static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
  }
  return facts;
}

std::string metrics_text(const host::Instance& instance, const ProcessFacts& facts) {
  Page page;
  pod_families(page, instance);
  rotation_families(page, instance);
  service_state_families(page, instance);
  service_count_families(page, instance);
  usage_families(page, instance);
  agent_families(page, instance);
  own_families(page, instance, facts);
  return page.take();
}

}  // namespace arizuko::api
