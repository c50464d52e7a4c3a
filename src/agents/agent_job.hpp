// One `docker run` as a Kubernetes Job. Pure: command, settings and pod go in, JSON comes out.
//
// The pod meets Pod Security "restricted", sits on this pod's node (the MCP socket and SQLite's shared memory
// need one kernel) and belongs to this pod: when that is deleted, its agents are too.
#pragma once

#include "command_line.hpp"
#include "own_pod.hpp"
#include "settings.hpp"

namespace arizuko::agents {

inline constexpr std::string_view agent_container = "agent";
inline constexpr std::string_view field_manager = "arizuko-docker";
inline constexpr Seconds stop_grace{10};  // docker's own between SIGTERM and SIGKILL

/// `run_id` tells this run from all others, also from one of the same name: it makes a repeated request safe.
Result<json::object> build_job(const Run& run, const Settings& settings, const OwnPod& own,
                               std::string_view run_id);

/// Notes on the Job which `docker run` looks after it: one whose caller is gone was left behind.
void name_caller(json::object& job, std::string_view caller);

/// From the creation of the Job to its end by Kubernetes itself: the caller's own limit comes first, this one
/// is for what nobody looks after any more.
Seconds active_deadline(const Settings& settings);

}  // namespace arizuko::agents
