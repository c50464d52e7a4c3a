"""A pod for the end-to-end tests: the release binary as real PID 1, as near to Kubernetes as one machine gets.

Each Pod runs in pid, mount and network namespaces of its own, as uid 1000 without any capability, with
no_new_privs, / read-only and no writable /tmp. Only `data` (the volume) and `out` (termination log, mounted
Secrets) can be written. Needs root.

Nothing here sleeps to wait: `wait_for` looks again until its bound, and says what it last saw.
"""
import ctypes
import errno
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path

from lines import GATED, ROOT

BUILD = Path(os.environ.get("ARIZUKO_BUILD", ROOT / "build" / "release"))
INIT = BUILD / "arizuko-init"
REHEARSAL = BUILD / "arizuko-rehearsal"
STOCK_PLAN = GATED.plan
UID = 1000

# Mounts what a kubelet would, then drops everything. $1: the pod's directory; $2: its volume (another pod's,
# when two share one); $3: a control group to run in, or nothing; $4: shell text that root runs in there first, or
# nothing; the rest: the command.
ENTRY = r"""
set -eu
pod=$1; volume=$2; group=$3; setup=$4; shift 4
[ -z "$group" ] || echo 0 >"$group/cgroup.procs"
mount --make-rprivate /
mount --bind "$pod" "$pod"
case $volume in "$pod"/*) ;; *) mount --bind "$volume" "$volume" ;; esac
mount -o remount,bind,ro /
ip link set lo up
eval "$setup"
cd /
exec env -u SETPRIV setpriv $SETPRIV "$@"
"""
# As a pod that runs without any privilege; and as root with what Docker leaves it.
UNPRIVILEGED = "--reuid 1000 --regid 1000 --clear-groups --bounding-set -all --inh-caps -all --no-new-privs"
DOCKER_ROOT = ("--clear-groups --inh-caps -all --bounding-set -all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,"
               "+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap")


def wait_for(what, look, seconds=20, pause=0.01):
    """The first true thing that `look` returns, within `seconds`; else an error that names `what`. `pause`: between looks."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < end, f"not within {seconds} s: {what}; last seen: {seen!r}"
        time.sleep(pause)


def seconds_of(event):
    """When an event was, as Unix time."""
    return datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()


def in_network_of(pid, make):
    """What `make` returns when it runs in the network namespace of process `pid`: a socket stays there."""
    made = []

    def body():
        with open(f"/proc/{pid}/ns/net") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0x40000000):  # of this thread only
                made.append(OSError(ctypes.get_errno(), "setns"))
                return
        try:
            made.append(make())
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


class Pod:
    """One arizuko-init as PID 1. `env` is the pod's environment: nothing else of ours reaches it."""

    def __init__(self, plan=None, rehearse=True, env=None, options=(), log="json", data=None, start=True,
                 stdout=None, before_exec=None, group=None, root=False, setup="", line=GATED):
        self.line = line  # whose stock plan it runs, unless `plan` is another
        self.base = Path(tempfile.mkdtemp(prefix="arizuko-pod-"))
        self.data = Path(data) if data else self.base / "data" / "arizuko_demo"
        self.out = self.base / "out"
        for directory in (self.data, self.out):
            directory.mkdir(parents=True, exist_ok=True)
        self.termination_log = self.out / "termination-log"
        self.termination_log.touch()
        for path in (self.base, self.base / "data", self.data, self.out, self.termination_log):
            if path.exists():
                os.chown(path, UID, UID)
        self.log_path = self.base / "log"
        self.err_path = self.base / "err"
        self.plan, self.rehearse, self.options, self.log = plan or line.plan, rehearse, list(options), log
        self.stdout = stdout  # a descriptor, else the file `log`
        self.before_exec = before_exec  # runs in the child before it becomes PID 1
        self.group = group  # a control group that PID 1 begins in
        self.setup = setup  # shell text that root runs in the pod's namespaces before PID 1: $volume is its volume
        self.root = root  # PID 1 is root, as Docker has it, in place of uid 1000 without a privilege
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(env or {})}
        self.process = None
        if rehearse:
            self.fault("all", "slow-stop 0")  # teled's 5 s at each stop are asked for where they matter
        if start:
            self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def write(self, path, text, mode=0o644):
        """A file of the pod's own user."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.fresh")
        fresh.write_text(text)
        fresh.chmod(mode)
        for each in (path.parent, fresh):
            os.chown(each, UID, UID)
        fresh.rename(path)
        return path

    def write_plan(self, text):
        """A plan of the test's own."""
        self.plan = self.write(self.out / "plan.toml", text)
        return self.plan

    def program(self, name, text=None):
        """A program of the test's own in the directory that `bin_dir` names; without `text` the rehearsal's."""
        path = self.bin_dir / name
        if text is None:
            self.bin_dir.mkdir(exist_ok=True)
            path.symlink_to(REHEARSAL)
            return path
        return self.write(path, text, 0o755)

    @property
    def bin_dir(self):
        return self.out / "bin"

    def start(self):
        command = ["unshare", "--pid", "--fork", "--mount-proc", "--mount", "--net", "--kill-child",
                   "sh", "-c", ENTRY, "pod", str(self.base), str(self.data), str(self.group or ""), self.setup,
                   str(INIT), "run", "--plan", str(self.plan), "--log", self.log,
                   "--set", f"pod.data_dir={self.data}",
                   "--set", f"pod.termination_log={self.termination_log}"]
        if self.rehearse:
            command.append("--rehearse")
        command += self.options
        with open(self.log_path, "ab") as out, open(self.err_path, "ab") as err:
            setpriv = DOCKER_ROOT if self.root else UNPRIVILEGED
            self.process = subprocess.Popen(command, env=self.env | {"SETPRIV": setpriv}, stdin=subprocess.DEVNULL,
                                            stdout=out if self.stdout is None else self.stdout, stderr=err,
                                            preexec_fn=self.before_exec)
        return self

    # --- processes

    @property
    def pid1(self):
        """The process id of PID 1, seen from outside."""
        def look():
            assert self.process.poll() is None, f"no PID 1 any more: it ended with {self.process.poll()}"
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            return int(children[0]) if children else None
        return wait_for("PID 1 of the pod", look, 5)

    def all_processes(self):
        """Every process of the pod but PID 1: outer pid -> (name, state letter)."""
        pid1 = self.pid1
        namespace = os.readlink(f"/proc/{pid1}/ns/pid")
        found = {}
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) == pid1:
                continue
            try:
                # A zombie has no namespaces any more: whose child it is tells.
                stat = Path(f"/proc/{name}/stat").read_text()
                state, parent = stat.rsplit(")", 1)[1].split()[:2]
                if int(parent) == pid1 or os.readlink(f"/proc/{name}/ns/pid") == namespace:
                    found[int(name)] = (stat.split("(", 1)[1].rsplit(")", 1)[0], state)
            except OSError:
                pass
        return found

    def processes(self):
        """Living processes of the pod as outer pid -> name, without PID 1."""
        return {pid: name for pid, (name, state) in self.all_processes().items() if state != "Z"}

    def zombies(self):
        return {pid: name for pid, (name, state) in self.all_processes().items() if state == "Z"}

    def outer_pid(self, inner):
        """The pid outside of a main process: a child of PID 1, which knows it as `inner`."""
        pid1 = self.pid1
        for pid in Path(f"/proc/{pid1}/task/{pid1}/children").read_text().split():
            try:
                line = next(l for l in Path(f"/proc/{pid}/status").read_text().splitlines() if l.startswith("NSpid:"))
            except (OSError, StopIteration):
                continue
            if line.split()[-1] == str(inner):
                return int(pid)
        return None

    def outer_pid_of(self, service):
        """The pid outside of a service's main process."""
        return wait_for(f"a process of {service}", lambda: self.outer_pid(self.service(service)["pid"]), 5)

    def proc(self, service, file):
        """/proc/<pid>/FILE of a service's main process, as bytes."""
        return Path(f"/proc/{self.outer_pid_of(service)}/{file}").read_bytes()

    def environ(self, service):
        """What a service's main process was given."""
        entries = self.proc(service, "environ").split(b"\0")
        return dict(entry.decode().split("=", 1) for entry in entries if entry)

    def kill(self, service, number=signal.SIGKILL):
        """Signals a service's main process; returns its pid inside."""
        inner = self.service(service)["pid"]
        os.kill(self.outer_pid(inner), number)
        return inner

    def signal(self, number):
        os.kill(self.pid1, number)

    def wait_exit(self, seconds=60):
        """The exit code of PID 1."""
        return self.process.wait(timeout=seconds)

    def stop(self, seconds=60):
        self.signal(signal.SIGTERM)
        return self.wait_exit(seconds)

    def close(self):
        if self.process and self.process.poll() is None:
            # --kill-child does not survive setpriv (the kernel clears it when credentials change): PID 1
            # itself is killed, and with it the kernel ends the whole namespace.
            try:
                os.kill(self.pid1, signal.SIGKILL)
            except (ProcessLookupError, AssertionError):
                pass
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.base, ignore_errors=True)

    # --- asking

    def inside(self, *command, uid=None, **options):
        """Runs a command in the pod's namespaces, as PID 1's user."""
        uid = uid if uid is not None else 0 if self.root else UID
        return subprocess.run(["nsenter", "-t", str(self.pid1), "-p", "-m", "-n", "setpriv", f"--reuid={uid}",
                               f"--regid={uid}", "--clear-groups", *command],
                              capture_output=True, text=True, timeout=30, **options)

    def ctl(self, *arguments, **options):
        """arizuko-init COMMAND ... inside the pod."""
        return self.inside(str(INIT), *arguments, **options)

    def connect(self, port, host="127.0.0.1", timeout=15):
        """A connection to an address inside the pod, from outside."""
        return in_network_of(self.pid1, lambda: socket.create_connection((host, port), timeout))

    def listen(self, port, host="127.0.0.1"):
        """A listening socket inside the pod that belongs to none of its processes."""
        return in_network_of(self.pid1, lambda: socket.create_server((host, port)))

    def get(self, path, port=9090, host="127.0.0.1", method="GET", body=None, headers=None, timeout=15):
        """An HTTP request inside the pod: (status, text), or (0, reason) when nobody answers."""
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
        try:
            connection.sock = self.connect(port, host, timeout)
            connection.request(method, path, body=body, headers=headers or {})
            reply = connection.getresponse()
            return reply.status, reply.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()

    def post(self, path, body, port, headers=None):
        return self.get(path, port, method="POST", body=json.dumps(body), headers=headers)

    def metric(self, name):
        """One value of /metrics, by its whole name with labels; None when it is not there."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.split(" ")[-1])
        return None

    def rows(self, query):
        """What the router's database answers, read from outside."""
        with sqlite3.connect(f"file:{self.data}/{self.line.database}?mode=ro", uri=True, timeout=5) as database:
            return database.execute(query).fetchall()

    def status(self):
        """status --json, or None while nobody answers."""
        done = self.ctl("status", "--json")
        return json.loads(done.stdout) if done.returncode in (0, 1) and done.stdout else None

    def secrets(self):
        """secrets --json: which values are in use, and where a rotation stands."""
        done = self.ctl("secrets", "--json")
        return json.loads(done.stdout) if done.stdout else None

    def service(self, name):
        status = self.status()
        return next((s for s in status["services"] if s["name"] == name), None) if status else None

    def events(self, after=0):
        """The history, from the event after number `after`."""
        done = self.ctl("events", "--json", "--after", str(after))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def last_seq(self):
        return self.events()[-1]["seq"]

    def logged(self):
        """All of stdout so far."""
        return self.log_path.read_text(errors="replace")

    def errors(self):
        return self.err_path.read_text(errors="replace")

    def termination(self):
        text = self.termination_log.read_text()
        return json.loads(text) if text else None

    def described(self):
        """For the message of a test that failed."""
        if self.process.poll() is not None:
            return f"PID 1 ended with {self.process.poll()}\n{self.errors()}\n{self.logged()[-4000:]}"
        return f"{self.ctl('status').stdout}\n{self.ctl('events').stdout[-4000:]}\n{self.errors()[-2000:]}"

    # --- waiting

    def wait_service(self, name, *states, seconds=30):
        def look():
            service = self.service(name)
            return service if service and service["state"] in states else None
        try:
            return wait_for(f"{name} to be {' or '.join(states)}", look, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.described()}") from None

    def wait_ready(self, seconds=40):
        """Until everything that should be ready is."""
        try:
            wait_for("every service to be ready", lambda: self.ctl("status").returncode == 0, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.described()}") from None
        return self

    def wait_event(self, predicate, what="an event", seconds=30, after=0):
        """The first event after number `after` that `predicate` takes."""
        try:
            return wait_for(what, lambda: next((e for e in self.events(after) if predicate(e)), None), seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.described()}") from None

    def wait_state_event(self, service, state, after=0, seconds=30):
        """The first event after number `after` by which `service` came into `state`."""
        return self.wait_event(lambda e: e["service"] == service and e["to"] == state,
                               f"{service} to come into {state}", seconds, after)

    def wait_logged(self, text, seconds=20):
        """The first line of stdout that contains `text`."""
        return wait_for(f"a log line with {text!r}",
                        lambda: next((l for l in self.logged().splitlines() if text in l), None), seconds)

    # --- faults of the rehearsal (docs/reference/rehearsal.md)

    def fault(self, daemon, text):
        """From now on; an empty text takes it back."""
        directory = self.data / "rehearsal" / "faults"
        directory.mkdir(parents=True, exist_ok=True)
        os.chown(directory.parent, UID, UID)
        self.write(directory / daemon, text + "\n")

    def fault_now(self, port, text):
        """A fault that the daemon at `port` has taken when this returns."""
        status, answer = self.get("/v1/rehearsal/fault", port, method="POST", body=text)
        assert status == 200, (status, answer)


def check(*options, plan=STOCK_PLAN, code=0):
    """The resolved plan, as `arizuko-init check --json` gives it; `code`: the exit code that must come."""
    done = subprocess.run([str(INIT), "check", "--json", "--plan", str(plan), *options], capture_output=True,
                          text=True, timeout=30, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout)


def services_of(plan):
    """The services and tasks of a resolved plan by name."""
    return {each["name"]: each for each in plan["services"]}


def fill(path):
    """Writes a file until not a byte more goes into its volume."""
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError as error:
            assert error.errno == errno.ENOSPC


def sets(**values):
    """--set options: sets(service__gated__port=8080, pod__grace="60s"); JSON of these is TOML, too."""
    return [word for key, value in values.items()
            for word in ("--set", f"{key.replace('__', '.')}={json.dumps(value)}")]


def own_plan(a_pod, text, **options):
    """A pod that runs a plan of the test's own: {bin} in it is the directory of the test's programs."""
    pod = a_pod(start=False, rehearse=False, **options)
    pod.write_plan(text.replace("{bin}", str(pod.bin_dir)).replace("{data}", str(pod.data)))
    return pod


def states_of(events, service):
    """The states a service went through, oldest first."""
    return [e["to"] for e in events if e["event"] == "state" and e["service"] == service]


def position(events, service, state, nth=1):
    """Where in the history `service` entered `state` for the nth time."""
    seen = [i for i, e in enumerate(events) if e["event"] == "state" and e["service"] == service and e["to"] == state]
    assert len(seen) >= nth, f"{service} entered {state} {len(seen)} times"
    return seen[nth - 1]
