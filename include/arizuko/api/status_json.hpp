// The shapes of JSON that scripts rely on: status, health, events, log lines, answers. Names and causes only:
// no value of the environment is ever part of them. Always valid UTF-8, on one line, without
// its end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "arizuko/host/supervisor/instance.hpp"

namespace arizuko::api {

/// {"instance","state","generation","services":[{"name","kind","group","state","pid","since",
/// "restarts","port","waiting_for","cause"}]}; pid, group and port are null when there is none. "agents":
/// {"backend","since", "failing":[{"group","failures","since","reason"}]} once the docker command has said
/// something of them.
std::string status_json(const host::Instance& instance);
/// What keeps the pod from being ready, and what keeps agents from working.
std::string pod_sentence(const host::Instance& instance);
/// What everybody who reaches the pod may see: {"instance","state","ready","services":[...]}, the
/// services as in status_json without pid and group.
std::string health_json(const host::Instance& instance);
/// {"seq","time","service","event","code","from","to","why","cause"}; service, from, to and why are null when
/// there is none.
std::string event_json(const host::HistoryEvent& event);
/// {"seq","time","service","stream","text"}
std::string log_line_json(const host::KeptLine& line);
/// The same with "stream":"gap": what the history has dropped before it was read.
std::string log_gap_json(std::uint64_t seq, std::int64_t unix_nanoseconds, std::string_view text);
/// {"service","why"}; service is null for the pod.
std::string why_json(std::string_view service, std::string_view sentence);
/// {"group","services"}
std::string group_json(std::string_view name, const std::vector<std::string>& services);
/// {"accepted","message"}
std::string result_json(const host::CommandResult& result);
/// {"error": sentence}
std::string error_json(std::string_view sentence);

}  // namespace arizuko::api
