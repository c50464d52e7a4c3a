// The resolved, checked plan: what was asked for, as plain data.
//
// This is the only form of a plan that the rest of the program sees. It is complete: defaults are
// filled in, `${service.port}` and `${pod.data_dir}` are replaced, names are indexes, every check of
// docs/reference/plan.md has passed. The one thing left open are `${NAME}` references in the services' `env`
// tables, which are filled in from the environment snapshot at each spawn (env/scope.hpp).
//
// Pure data: nothing here reads a file, a clock or the environment.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "arizuko/plan/problem.hpp"

namespace arizuko::plan {

using Duration = std::chrono::milliseconds;

/// Index into Plan::services. Stable for the life of one Plan; a reload maps by name.
using ServiceId = std::uint32_t;

// ---------------------------------------------------------------------------------------------
// Values that wait for the environment

/// `${NAME}` or `${NAME:-fallback}`.
struct EnvReference {
  std::string name;
  std::optional<std::string> fallback;  // used when NAME is unset or empty
  bool operator==(const EnvReference&) const = default;
};

/// Text with holes: literal pieces and environment references, in order.
struct Template {
  std::vector<std::variant<std::string, EnvReference>> parts;
  bool empty() const { return parts.empty(); }
  bool operator==(const Template&) const = default;
};
/// Text without holes.
Template literal(std::string text);

/// `{ join = ",", of = ["a=${A}", "b=${B}"] }`: its items in order, those left out in which a variable
/// without a fallback is unset or empty.
struct Joined {
  std::string separator;  // no value of an item's variable may hold it (env/joined.hpp)
  std::vector<Template> items;
  bool operator==(const Joined&) const = default;
};

/// What `env` of a service sets a name to.
using EnvValue = std::variant<Template, Joined>;

/// Calls `see(const EnvReference&)` for each reference, in order.
template <class See>
void each_reference(const Template& text, See&& see) {
  for (const auto& part : text.parts) {
    if (const auto* reference = std::get_if<EnvReference>(&part)) see(*reference);
  }
}
template <class See>
void each_reference(const EnvValue& value, See&& see) {
  if (const auto* text = std::get_if<Template>(&value)) return each_reference(*text, see);
  for (const Template& item : std::get<Joined>(value).items) each_reference(item, see);
}

// ---------------------------------------------------------------------------------------------
// Conditions: how one sees that a service serves

/// Who must hold the listening socket that answers.
enum class Listener {
  own,  // a process of this very service (traps T1 and T7), or of the one that `of` names; the default
  any,  // whoever answers
};

enum class Method { get, head, options, post };

struct StatusRange {
  std::uint16_t first = 200;
  std::uint16_t last = 399;
  bool operator==(const StatusRange&) const = default;
};

/// A request to `url` is answered by one of `status` and, if given, by a body that contains `contains` in its
/// first 64 KiB.
///
/// With `of` the question goes to another service, about this one ("is it registered with you?"). Then only
/// that service's own clear answer is a no: it serves, its own socket answers, with an expected status and
/// without `contains`, or with 404 or 410. Anything else cannot tell, and what cannot be told restarts
/// nobody.
struct HttpCheck {
  std::string url;      // as written, resolved: "http://127.0.0.1:9080/health"
  std::string address;  // numeric IPv4 or IPv6, without brackets
  std::uint16_t port = 0;
  std::string path;   // with query, begins with '/'
  Template contains;  // empty: any body; its holes are filled in as those of `headers`
  Listener listener = Listener::own;
  std::string of{};  // name of the service whose listener answers; empty: the condition's own
  Method method = Method::get;
  std::vector<StatusRange> status{StatusRange{}};
  // Values may be secrets: never shown. Filled in from the environment of the service's present run.
  std::vector<std::pair<std::string, Template>> headers{};
  bool operator==(const HttpCheck&) const = default;
};

/// A TCP connection is accepted.
struct TcpCheck {
  std::string address;
  std::uint16_t port = 0;
  Listener listener = Listener::own;
  bool operator==(const TcpCheck&) const = default;
};

/// A connection to a unix socket is accepted. The stale file is removed before each start.
struct SocketCheck {
  std::string path;  // absolute, at most 107 bytes
  Listener listener = Listener::own;
  bool operator==(const SocketCheck&) const = default;
};

/// A line of this run of the service (stdout or stderr) contains `text`.
struct LogCheck {
  std::string text;
  bool operator==(const LogCheck&) const = default;
};

/// The service sends READY=1 to $NOTIFY_SOCKET (sd_notify(3)).
struct NotifyCheck {
  bool operator==(const NotifyCheck&) const = default;
};

/// The command exits 0 within Condition::timeout. Run with the service's own environment.
struct ExecCheck {
  std::vector<std::string> command;
  bool operator==(const ExecCheck&) const = default;
};

/// The path exists.
struct FileCheck {
  std::string path;
  bool operator==(const FileCheck&) const = default;
};

using Check = std::variant<HttpCheck, TcpCheck, SocketCheck, LogCheck, NotifyCheck, ExecCheck, FileCheck>;

/// When a liveness condition is looked at.
enum class LookedAt {
  while_running,  // from the first time that the service is ready until it ends
  while_ready,    // only while it is ready: what fails because the service is not well restarts nobody
};

struct Condition {
  Check check;
  Duration every{10'000};      // pause between two looks once the service is ready (T29)
  Duration timeout{2'000};     // of one look
  std::uint32_t failures = 3;  // looks in a row that must fail before "held" becomes "fails"
  // When set, the condition is dropped, loudly, this long after the spawn if it never held.
  std::optional<Duration> wait;
  LookedAt looked_at = LookedAt::while_running;  // .live only
  bool operator==(const Condition&) const = default;
};

/// One short line for people: `http http://127.0.0.1:9080/health contains "ok"`.
std::string to_text(const Condition& condition);

// ---------------------------------------------------------------------------------------------
// Policies

enum class RestartWhen { always, on_failure, never };

enum class Verdict {
  stay_down,  // the service is `failed`; the rest goes on
  end_pod,    // the run ends: 75, or 69 when the service never became ready, or 73 for a task
};

struct RestartPolicy {
  RestartWhen when = RestartWhen::always;
  Duration delay{500};         // first back-off; the first restart after a stable time is at once
  Duration max_delay{60'000};  // cap of the back-off
  double factor = 2.0;         // 1.0 to 10.0
  double jitter = 0.1;         // 0.0 to 0.5: the delay is varied by up to this share
  Duration stable{30'000};     // ready for this long: back-off starts anew
  std::uint32_t budget = 10;   // failures within `window` before the verdict; 0: never give up
  Duration window{600'000};
  Verdict verdict = Verdict::stay_down;
  bool operator==(const RestartPolicy&) const = default;
};

struct StopPolicy {
  int signal = 15;            // sent to the main process only (T22); number of Linux x86-64
  Duration timeout{10'000};   // then SIGKILL to the main process
  Duration leftovers{2'000};  // the rest of the tree may leave by itself; then SIGKILL to each
  bool operator==(const StopPolicy&) const = default;
};

/// What a changed environment does to a running service.
enum class OnChange { restart, signal, ignore };

// ---------------------------------------------------------------------------------------------
// Services

enum class Kind {
  service,  // runs until it is stopped
  task,     // runs once, to its end
};

/// One condition of `enabled_when`: "ONBOARDING_ENABLED=true"; without `value`: set and not empty.
struct EnabledWhen {
  std::string name;
  std::optional<std::string> value;
  bool operator==(const EnabledWhen&) const = default;
};
/// `["DISCORD_BOT_TOKEN", "DISCORD_USER_TOKEN"]` as an entry of `enabled_when`: met when one of these is. A
/// condition that stands alone is a list of one. Never empty.
using AnyOf = std::vector<EnabledWhen>;

/// An entry of `take` or `need`: the child gets the value of `key` as `name`, and not under the key's own
/// name because of it. Implicit from one text, which is both: what most entries are.
struct Taken {
  Taken(std::string both) : name(both), key(std::move(both)) {}
  Taken(const char* both) : Taken(std::string(both)) {}
  Taken(std::string as, std::string of) : name(std::move(as)), key(std::move(of)) {}
  std::string name;  // in the child
  std::string key;   // in the sources
  bool operator==(const Taken&) const = default;
};
/// "NAME", "NAME = KEY": as in the plan.
std::string to_text(const Taken& taken);

/// Limits of a service's control group: all its processes together. They hold only where the host
/// delegates control groups with these controllers; elsewhere they are told to be without effect.
/// The kernel's own names and meanings: admin-guide/cgroup-v2.rst.
struct GroupLimits {
  std::optional<std::uint64_t> memory_high;  // bytes: above it the group is slowed down
  std::optional<std::uint64_t> memory_max;   // bytes: above it the kernel ends one of its processes
  std::optional<std::uint64_t> pids_max;     // processes and threads: a further one cannot be made
  bool any() const { return memory_high || memory_max || pids_max; }
  bool operator==(const GroupLimits&) const = default;
};

/// Files in which a daemon keeps a login made with the value of `key`, and which it prefers to that value:
/// set aside when the value changes, so that it is tried.
struct CachedLogin {
  std::string key;                 // in the sources; `cached` names it as the child does
  std::vector<std::string> files;  // absolute, below the data dir
  bool operator==(const CachedLogin&) const = default;
};

struct Service {
  std::string name;  // [a-z0-9][a-z0-9_-]{0,31}
  Kind kind = Kind::service;
  std::string description;
  std::string group_name;  // of the group that "@NAME" stands for; empty: none

  std::vector<std::string> command;  // argv; argv[0] is looked up in the child's PATH if it has no '/'
  std::string executable;            // when set, the file to run instead of looking up argv[0] (rehearsal)
  std::string cwd;                   // absolute; created if missing and below the data dir
  std::uint16_t port = 0;            // 0: none

  std::vector<ServiceId> after;     // start when each of these is ready or done
  std::vector<ServiceId> bound_to;  // also restart when one of these was restarted; subset of after
  // Start when each of these is ready or has had its chance (off, blocked, failed, in back-off):
  // order without dependence (T11: onbod after the adapters, whichever of them work).
  std::vector<ServiceId> after_tried;

  bool enabled = true;              // false: never started; its name and port stay known
  std::vector<AnyOf> enabled_when;  // all must be met
  std::vector<Taken> take;          // each name once; none that `need` gives from another key
  std::vector<Taken> need;          // without their values it is blocked; each is also taken
  std::vector<std::pair<std::string, EnvValue>> env;  // set for it; wins over take and common

  std::vector<CachedLogin> cached;  // each of a key that it takes or needs

  std::vector<Condition> ready;  // all must hold; empty: ready as soon as it is spawned
  Duration ready_within{60'000};
  std::vector<Condition> live;  // each one that fails restarts the service

  bool essential = false;
  RestartPolicy restart;
  StopPolicy stop;
  OnChange on_change = OnChange::restart;
  int change_signal = 0;  // with OnChange::signal

  std::vector<std::string> drop;  // log lines that contain one of these are not passed on (T29)

  // Tasks only.
  std::optional<std::string> creates;  // exists already: the task is done without running
  std::vector<std::string> verify;     // must exist after it succeeded, or it failed (T13)

  std::uint64_t nofile = 0;          // RLIMIT_NOFILE; 0: inherited
  GroupLimits group;                 // where control groups are delegated
  std::optional<std::uint32_t> uid;  // switch user; only where PID 1 is root
  std::optional<std::uint32_t> gid;
  std::uint32_t umask = 022;  // what its files are not allowed

  Location where;
  bool operator==(const Service& other) const;  // ignores `where`
};

/// By which entry of `need`, else of `take`, the service gets this name; nullptr: by none.
const Taken* given_as(const Service& service, std::string_view name);
/// Does its being on depend on this key?
bool is_switched_by(const Service& service, std::string_view key);

// ---------------------------------------------------------------------------------------------
// The pod

/// Where values come from; later sources win over earlier ones.
struct Source {
  enum class Kind {
    environment,  // the process environment
    dotenv,       // a file of KEY=value lines
    directory,    // a file a key, also in the kubelet's ..data layout
    generated,    // what `run` made of env.generated: below the data directory, weaker than all others
  };
  /// The process environment's name: in the plan, and as the source of a value.
  static constexpr std::string_view environment_name = "environment";

  Kind kind = Kind::environment;
  std::string path;  // absolute; empty for the environment
  /// Its path is a directory with a file a key.
  bool has_files() const { return kind == Kind::directory || kind == Kind::generated; }
  /// When set, only these names are taken of it; any other is reported and ignored.
  std::optional<std::vector<std::string>> only = std::nullopt;
  bool operator==(const Source&) const = default;
};

/// "environment", "dotenv:/path", "dir:/path": as in the plan. "generated:/path".
std::string to_text(const Source& source);

enum class Encoding { hex, base64, base64url };

/// A value that `run` makes once where no source has one, and keeps.
struct Generated {
  std::string key;
  std::uint32_t bytes = 32;  // random ones, 16 to 1024, before they are encoded
  Encoding encoding = Encoding::hex;
  bool operator==(const Generated&) const = default;
};

struct EnvPolicy {
  std::vector<Source> sources;       // the first is Source::Kind::generated when anything is
  std::vector<std::string> common;   // every child gets these, if they are set
  std::vector<std::string> guarded;  // never changed under a running instance unasked
  std::vector<Generated> generated;  // each key once
  /// Does `run` make a value of this key where no source has one?
  bool generates(std::string_view key) const;
  bool operator==(const EnvPolicy&) const = default;
};

struct Address {
  std::string ip;  // numeric
  std::uint16_t port = 0;
  bool operator==(const Address&) const = default;
};

enum class LogFormat { console, json, journal };

/// Whether each service gets a control group of its own.
enum class ControlGroups {
  when_delegated,  // "auto": detected, never required
  off,
};

struct Pod {
  std::string instance;           // [A-Za-z0-9_-]{1,32}, no leading '-': contract.md section 10
  std::string data_dir;           // absolute
  std::optional<Address> probes;  // "off" in the plan: no listener
  std::optional<Address> page;
  std::string run_dir;  // for sockets; "" when the host finds no writable one
  std::string control;  // path of the control socket; "@name" is abstract; empty: the host chooses
  std::vector<ServiceId> ready_when;
  Duration grace{40'000};
  std::optional<LogFormat> log;  // unset: console on a terminal, journal at systemd's, else json
  std::string termination_log = "/dev/termination-log";  // written only where it exists
  std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";  // PATH of children
  ControlGroups control_groups = ControlGroups::when_delegated;
  std::vector<std::string> make_dirs;  // created below the data dir before the first child
  std::uint32_t umask = 022;           // of services and tasks that set none
  bool operator==(const Pod&) const = default;
};

// ---------------------------------------------------------------------------------------------
// Agents on Kubernetes

/// How the Jobs are made that `arizuko-docker` runs gated's agents in; handed to it as `${agents.settings}`.
struct AgentPolicy {
  std::vector<std::string> image_pull_secrets;  // empty: those of this pod
  std::string service_account;                  // empty: the namespace's default, without a token
  std::string runtime_class;                    // empty: the cluster's default
  std::vector<std::string> tolerations;         // KEY[=VALUE][:EFFECT], beside those of this pod
  std::vector<std::pair<std::string, std::string>> requests;  // "cpu", "500m"
  std::vector<std::pair<std::string, std::string>> limits;
  std::vector<std::string> secrets;      // each of their keys becomes a variable of the agent
  std::vector<std::string> config_maps;  // likewise
  Duration schedule_within{120'000};
  Duration pull_within{300'000};
  bool operator==(const AgentPolicy&) const = default;
};

struct Plan {
  Pod pod;
  EnvPolicy env;
  AgentPolicy agents;
  std::vector<Service> services;  // tasks and services in start order: after comes before
  Problems warnings;

  /// The index of the service called `name`, or nullopt. Linear: not for hot paths.
  std::optional<ServiceId> find(std::string_view name) const;
};

}  // namespace arizuko::plan
