// The shapes of JSON that scripts rely on: status, health, events, log lines. Names and causes only:
// no value of the environment is ever part of them. Always valid UTF-8, on one line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "arizuko/host/supervisor/instance.hpp"

namespace arizuko::api {

/// A JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD.
std::string json_string(std::string_view text);
/// "2026-11-22T20:57:00.123Z": UTC, milliseconds.
std::string rfc3339(std::int64_t unix_nanoseconds);

/// {"instance","state","generation","services":[{"name","kind","state","pid","since","restarts",
/// "port","waiting_for","cause"}]}; pid and port are null when there is none. "agents": {"backend","since",
/// "failing":[{"group","failures","since","reason"}]} once the docker command has said something of them.
std::string status_json(const host::Instance& instance);
/// What keeps the pod from being ready, and what keeps agents from working.
std::string pod_sentence(const host::Instance& instance);
/// What everybody who reaches the pod may see: {"instance","state","ready","services":[...]}, the
/// services as in status_json without the pid.
std::string health_json(const host::Instance& instance);
/// {"seq","time","service","event","code","from","to","why","cause"}; service, from, to and why are null when
/// there is none.
std::string event_json(const host::HistoryEvent& event);
/// {"seq","time","service","stream","text"}
std::string log_line_json(const host::KeptLine& line);
/// {"error": sentence}
std::string error_json(std::string_view sentence);

}  // namespace arizuko::api
