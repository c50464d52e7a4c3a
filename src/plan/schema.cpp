#include "schema.hpp"

#include <array>

namespace arizuko::plan {
namespace {

using enum Section;

constexpr std::array keys{
    Key{plan, "pod", "table", "", "the instance and its pod"},
    Key{plan, "env", "table", "", "where values come from"},
    Key{plan, "agents", "table", "", "how agents run on Kubernetes"},
    Key{plan, "service", "table", "", "what runs until it is stopped"},
    Key{plan, "task", "table", "", "what runs once, to its end"},
    Key{plan, "template", "table", "", "what services and tasks are like"},

    Key{pod, "instance", "string", "\"demo\"", "the instance's name"},
    Key{pod, "data_dir", "path", "/srv/data/arizuko_<instance>", "the data directory"},
    Key{pod, "probes", "address or \"off\"", "\"0.0.0.0:9090\"", "/livez /readyz /startupz /health /metrics"},
    Key{pod, "page", "address or \"off\"", "\"127.0.0.1:9091\"", "the status page"},
    Key{pod, "run_dir", "path", "/run/arizuko-init, else $XDG_RUNTIME_DIR/arizuko-init, where writable",
        "directory for sockets"},
    Key{pod, "control", "path or @name", "chosen by the host", "control socket"},
    Key{pod, "ready_when", "list of services", "the essential services", "what /readyz asks for"},
    Key{pod, "grace", "duration", "\"40s\"", "from the stop request to the end of the run"},
    Key{pod, "log", "\"console\", \"json\" or \"journal\"",
        "console on a terminal, journal where systemd keeps one, else json", "form of the log"},
    Key{pod, "termination_log", "path", "\"/dev/termination-log\"", "written where it exists"},
    Key{pod, "path", "string", "/usr/local/sbin:...:/bin", "PATH of every child that sets none"},
    Key{pod, "control_groups", "\"auto\" or \"off\"", "\"auto\"", "one a service, where they are delegated"},
    Key{pod, "make_dirs", "list of paths", "[]", "created below the data dir before the first child"},
    Key{pod, "umask", "octal string", "\"022\"", "of every child that sets none"},

    Key{env, "sources", "list", "[\"environment\"]", "where values come from; later wins"},
    Key{env, "common", "list of names", "[]", "every child gets these if they are set"},
    Key{env, "guarded", "list of names", "[]", "never changed under a running instance unasked"},
    Key{env, "generated", "table of true, false or { bytes, encoding }", "{}",
        "made once where no source has a value, and kept"},

    Key{agents, "image_pull_secrets", "list of names", "[]", "Secrets to pull the agent image with"},
    Key{agents, "service_account", "name", "none", "ServiceAccount of the agents; no token is mounted"},
    Key{agents, "runtime_class", "name", "none", "RuntimeClass of the agents"},
    Key{agents, "tolerations", "list", "[]", "\"KEY[=VALUE][:EFFECT]\", beside those of this pod"},
    Key{agents, "requests", "table of strings", "{}", "what the scheduler sets aside for an agent"},
    Key{agents, "limits", "table of strings", "{}", "what an agent may use"},
    Key{agents, "secrets", "list of names", "[]", "their keys become variables of the agent"},
    Key{agents, "config_maps", "list of names", "[]", "their keys become variables of the agent"},
    Key{agents, "schedule_within", "duration", "\"2m\"", "not on its node by then: the turn fails"},
    Key{agents, "pull_within", "duration", "\"5m\"", "then not running by then: the turn fails"},

    Key{unit, "like", "name", "none", "takes over the keys of this template, service or task"},
    Key{unit, "group", "name", "none", "\"@NAME\" stands for all of this group"},
    Key{unit, "description", "string", "\"\"", "shown by status"},
    Key{unit, "command", "list of strings", "required", "argv; no shell"},
    Key{unit, "cwd", "path", "<data_dir>/.arizuko-init/cwd", "working directory"},
    Key{unit, "make_dirs", "list of paths", "[]", "added to those of [pod]"},
    Key{unit, "port", "1-65535", "none", "its port"},
    Key{unit, "after", "list", "[]", "start when each of these is ready or done"},
    Key{unit, "bound_to", "list", "[]", "restart also when one of these was restarted"},
    Key{unit, "after_tried", "list", "[]", "start when each of these is ready or has had its chance"},
    Key{unit, "enabled", "bool", "true", "false: as if it were not in the plan"},
    Key{unit, "enabled_when", "list", "[]", "\"NAME\", \"NAME=value\", or a list of these; all must be met"},
    Key{unit, "take", "list of names", "[]", "values that it gets, if they are set; also \"NAME = KEY\""},
    Key{unit, "need", "list of names", "[]",
        "values that it gets and cannot do without; also \"NAME = KEY\""},
    Key{unit, "env", "table of strings, or of { join, of }", "{}", "set for it; wins over take and common"},
    Key{service, "cached", "table of lists", "{}", "files that keep a login from being made anew"},
    Key{unit, "essential", "bool", "services false, tasks true", "when it fails for good, the run ends"},
    Key{unit, "on_change", "\"restart\", \"signal:NAME\", \"ignore\"", "\"restart\"",
        "when its environment changes"},
    Key{unit, "drop", "list of strings", "[]", "log lines with one of these are not passed on"},
    Key{unit, "nofile", "integer", "inherited", "RLIMIT_NOFILE"},
    Key{unit, "memory_high", "size", "none", "above it, its processes are slowed down"},
    Key{unit, "memory_max", "size", "none", "above it, one of its processes is killed"},
    Key{unit, "pids_max", "1-4194304", "none", "processes and threads that it may have"},
    Key{unit, "user", "\"UID\" or \"UID:GID\"", "inherited", "numeric; only where PID 1 is root"},
    Key{unit, "umask", "octal string", "that of the pod", "permissions that its new files do not get"},
    Key{service, "ready", "table", "", "conditions that must all hold"},
    Key{service, "live", "table", "", "conditions of which each one that fails restarts the service"},
    Key{unit, "restart", "table", "", "what happens after its main process ended"},
    Key{unit, "stop", "table", "", "how it is stopped"},

    Key{look, "http", "url, or { url, contains, listener, of, method, status, headers }, or a list of these",
        "", "GET answers 200-399", "url contains listener of method status headers"},
    Key{look, "tcp", "address, or { address, listener }", "", "a connection is accepted", "address listener"},
    Key{look, "socket", "path, or { path, listener }", "", "the unix socket accepts", "path listener"},
    Key{look, "log", "string, or { contains }", "", "a line of this run contains the text", "contains"},
    Key{look, "notify", "true", "", "READY=1 arrives on $NOTIFY_SOCKET"},
    Key{look, "exec", "list, or { command }", "", "the command exits 0", "command"},
    Key{look, "file", "path, or { path }", "", "the path exists", "path"},
    Key{look, "within", "duration", "\"60s\"", "(.ready only) not ready by then is a failure"},
    Key{look, "every", "duration", "\"10s\"", "pause between two looks once it is ready"},
    Key{look, "timeout", "duration", "\"2s\"", "of one look"},
    Key{look, "failures", "1-100", "3", "looks in a row that must fail"},

    Key{restart, "when", "\"always\", \"on-failure\", \"never\"", "\"always\"; tasks \"never\"",
        "after its main process ended"},
    Key{restart, "delay", "duration", "\"500ms\"", "first back-off"},
    Key{restart, "max_delay", "duration", "\"60s\"", "cap"},
    Key{restart, "factor", "1.0-10.0", "2.0", "growth"},
    Key{restart, "jitter", "0.0-0.5", "0.1", "share by which a delay varies"},
    Key{restart, "stable", "duration", "\"30s\"", "ready for this long: the back-off starts anew"},
    Key{restart, "budget", "0-1000", "10", "failures within window before the verdict"},
    Key{restart, "window", "duration", "\"10m\"", "the time in which failures count"},
    Key{restart, "verdict", "\"stay-down\", \"end-pod\"", "\"end-pod\" when essential", "what then happens"},

    Key{stop, "signal", "name", "\"TERM\"", "sent to the main process only"},
    Key{stop, "timeout", "duration", "\"10s\"", "then SIGKILL to the main process"},
    Key{stop, "leftovers", "duration", "\"2s\"", "then SIGKILL to the rest of the tree"},

    Key{task, "creates", "path", "none", "exists already: done without running"},
    Key{task, "verify", "list of paths", "[]", "must exist after it exits 0, or it failed"},
    Key{task, "within", "duration", "\"5m\"", "it must end by then"},
};

constexpr std::array<std::string_view, 5> common_condition_keys{"every", "timeout", "failures", "wait",
                                                                "while"};

}  // namespace

std::span<const Key> schema() { return keys; }

std::span<const std::string_view> condition_keys() { return common_condition_keys; }

}  // namespace arizuko::plan
