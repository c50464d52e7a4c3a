// The control groups of the services, where the host delegates some; without one a service runs just as well,
// but for its limits.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>

#include "arizuko/host/groups/control_groups.hpp"
#include "arizuko/host/process/process_table.hpp"
#include "context.hpp"
#include "memory_kills.hpp"

namespace arizuko::host {

class ServiceGroups {
 public:
  ServiceGroups(const Context& context, std::expected<ControlGroups, std::string> groups)
      : context_(context), groups_(std::move(groups)) {}

  /// They were not available before. Before begin().
  void use(std::expected<ControlGroups, std::string> groups);
  /// From now on `table` goes by them, and who is killed because memory runs out is told.
  void begin(ProcessTable& table);

  /// For spawn(): not open where there are none. A group that cannot be used is told of, and is no failure;
  /// one that is not empty is.
  std::expected<GroupDirectory, SpawnError> open(const plan::Service& service);
  /// Once, while it is the same. Empty: all is well.
  void tell_trouble(const std::string& service, const std::string& trouble);
  /// The main process of this service ended with this status (waitpid(2)).
  bool ended_out_of_memory(const std::string& service, int wait_status);
  /// Which limits of this plan hold nothing.
  void tell_idle_limits(const plan::Plan& plan) const;

  GroupFacts facts() const;
  std::optional<GroupUsage> usage(const std::string& service) const;
  /// At the end of the run.
  void remove();

 private:
  void tell_kills(const std::string& service, std::uint64_t killed) const;

  const Context& context_;
  std::expected<ControlGroups, std::string> groups_;  // or why there are none: a clause
  std::map<std::string, std::string> troubles_;       // as last told, by service
  std::optional<MemoryKills> kills_;                  // once begun
};

}  // namespace arizuko::host
