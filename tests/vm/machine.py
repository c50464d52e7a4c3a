"""What the tests of the bare host do on it: install, write values and overrides, start, ask, look into control groups.

Runs as root inside the machine of scripts/vm and nowhere else.
"""
import http.client
import json
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
from pathlib import Path

import page
import pod
from pod import REHEARSAL, ROOT

PROGRAM = Path("/usr/local/bin/arizuko-init")
PLAN_DROP_INS = Path("/etc/arizuko/arizuko.toml.d")
GROUPS = Path("/sys/fs/cgroup")
# By how much every bound here is longer than a real processor needs: scripts/vm knows how slow the machine is.
PATIENCE = float(os.environ["PATIENCE"])

# The page's unit with stand-ins for the daemons, and back soon after a failure; all else is as it is installed.
REHEARSE = f"""\
[Service]
ExecStart=
ExecStart={PROGRAM} run --plan /etc/arizuko/arizuko.toml --rehearse
RestartSec=200ms
"""
DAEMONS = f"""\
[Service]
ExecStart=
ExecStart={PROGRAM} run --plan /etc/arizuko/arizuko.toml
"""


def wait_for(what, look, seconds=60):
    """pod.wait_for within `seconds` of a real processor, with fewer looks: most of them start a process, which takes this
    machine long."""
    return pod.wait_for(what, look, seconds * PATIENCE, pause=0.1)


def run(*command, code=0, **options):
    """A command as root; `code`: how it must end, None: however it likes."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120 * PATIENCE, **options)
    assert code is None or done.returncode == code, (
        f"{command} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def type_in(line, **env):
    """A line of the page, typed by somebody who may use sudo and nothing else, in the directory of the sources."""
    done = subprocess.run(["setpriv", "--reuid=admin", "--regid=admin", "--init-groups", "bash", "-c", line], cwd=ROOT,
                          capture_output=True, text=True, timeout=120 * PATIENCE, stdin=subprocess.DEVNULL,
                          env={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
                               "HOME": "/home/admin", "LANG": "C.UTF-8", **env})
    done.line = line
    return done


def typed(line, **env):
    """The same where it must succeed: what it printed."""
    done = type_in(line, **env)
    assert done.returncode == 0, f"{line}\nended with {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def install():
    """docs/how-to/bare-host.md, section Install; before its last command, which is daemon-reload, the rehearsal."""
    *lines, last = page.commands("Install")
    for line in lines:
        typed(line)
    shutil.copy2(REHEARSAL, PROGRAM.parent)
    Instance.overrides.mkdir()
    (Instance.overrides / "10-rehearse.conf").write_text(REHEARSE)
    assert last == "sudo systemctl daemon-reload"
    typed(last)


def random_value():
    """What `openssl rand -hex 32` prints, without a process for it."""
    return secrets.token_hex(32)


class Instance:
    """The instance `demo`, the one that the page installs, as arizuko-init@demo.service."""

    name = "demo"
    unit = f"arizuko-init@{name}.service"
    data = Path(f"/srv/data/arizuko_{name}")
    env_path = Path("/etc/arizuko/demo.env")
    control = Path(f"/run/arizuko-init/{name}.sock")
    overrides = Path(f"/etc/systemd/system/{unit}.d")
    user = "arizuko"
    as_the_page_makes_them = None  # owner, group and mode of `data` and `env_path`, once its commands have been typed

    def __init__(self):
        self.values = {}
        done = run("journalctl", "--lines=0", "--show-cursor", "--quiet")
        self.cursor = done.stdout.removeprefix("-- cursor: ").strip()

    # --- before the first start

    def prepare(self, **values):
        """docs/how-to/bare-host.md, section The values: the directory, and the values as the page shows them, with `values` over them
        (None: not set). By the commands of the page the first time, and by what these have made the times after: sudo
        takes this machine long."""
        by_page = Instance.as_the_page_makes_them is None
        if by_page:
            for line in page.commands("The values"):
                if not line.startswith("sudoedit"):
                    typed(line)
        shown = dict(line.split("=", 1) for line in page.env_file() if not line.startswith("#"))
        fresh = {key: value or random_value() for key, value in shown.items()} | {"TELEGRAM_BOT_TOKEN": "4711:old"}
        self.values = {key: value for key, value in (fresh | values).items() if value is not None}
        if by_page:
            self.edit_values()
            Instance.as_the_page_makes_them = [owner_and_mode(path) for path in (self.data, self.env_path)]
        else:
            self.data.mkdir()
            self.env_path.write_text(self.text())
            for path, (uid, gid, mode) in zip((self.data, self.env_path), Instance.as_the_page_makes_them, strict=True):
                os.chown(path, uid, gid)
                path.chmod(mode)
        return self

    def text(self):
        """The file with `values`."""
        return "".join(f"{key}={value}\n" for key, value in self.values.items())

    def edit_values(self):
        """Saves `values` as the page says: sudoedit, with an editor that has typed already."""
        text = self.text()
        draft = Path("/home/admin/draft")
        draft.write_text(text)
        typed(page.command("The values", "sudoedit"), EDITOR=f"cp {draft}")
        draft.unlink()
        assert self.env_path.read_text() == text

    def change_values(self, **values):
        """A saved change of the values; None takes a value away."""
        self.values = {key: value for key, value in (self.values | values).items() if value is not None}
        self.edit_values()

    def override(self, text):
        """What `systemctl edit` writes: over what is installed and the rehearsal. DAEMONS: no rehearsal. Takes this
        machine seconds, as every daemon-reload does."""
        (self.overrides / "override.conf").write_text(text)
        run("systemctl", "daemon-reload")

    def plan_drop_in(self, text, name="test"):
        """A file that is merged over the installed plan; takes effect at the next start or reload."""
        PLAN_DROP_INS.mkdir(exist_ok=True)
        (PLAN_DROP_INS / f"{name}.toml").write_text(text)

    def fault(self, daemon, text):
        """A fault of the rehearsal (docs/reference/rehearsal.md) from now on; an empty text takes it back."""
        directory = self.data / "rehearsal" / "faults"
        run("install", "-d", "-o", self.user, "-g", self.user, directory.parent, directory)
        fresh = directory / f".{daemon}"
        fresh.write_text(text + "\n")
        shutil.chown(fresh, self.user, self.user)
        fresh.rename(directory / daemon)

    def remove(self):
        """Stops it and takes away everything that a test may have left, but not what was installed."""
        self.systemctl("stop", code=None)
        self.systemctl("reset-failed", code=None)  # the count of starts, too: five within ten minutes are the limit
        if (self.overrides.parent / "multi-user.target.wants" / self.unit).is_symlink():
            self.systemctl("disable", "--quiet")  # a daemon-reload, too
        for path in (PLAN_DROP_INS, self.data):
            shutil.rmtree(path, ignore_errors=True)
        self.env_path.unlink(missing_ok=True)
        if (self.overrides / "override.conf").exists():
            (self.overrides / "override.conf").unlink()
            run("systemctl", "daemon-reload")
        self.values = {}

    # --- systemd

    def systemctl(self, verb, *options, code=0):
        return run("systemctl", verb, *options, self.unit, code=code)

    def start(self):
        """Returns when systemctl does: the instance is ready."""
        done = self.systemctl("start", code=None)
        assert done.returncode == 0, f"{done.stderr}\n{self.described()}"
        return self

    def starting(self):
        """`systemctl start` under way: a process to wait for."""
        return subprocess.Popen(["systemctl", "start", self.unit], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True)

    def show(self, *names):
        """Properties of the unit by name; of one name its value alone."""
        lines = self.systemctl("show", *(f"--property={name}" for name in names)).stdout.splitlines()
        found = dict(line.split("=", 1) for line in lines)
        return found[names[0]] if len(names) == 1 else found

    @property
    def main_pid(self):
        return int(self.show("MainPID"))

    def journal(self, *matches, output="cat"):
        """What the journal has of this unit since this object was made; with `matches` only that (_PID=1: systemd)."""
        return run("journalctl", f"--after-cursor={self.cursor}", f"--unit={self.unit}", f"--output={output}",
                   "--no-pager", *matches).stdout

    def warnings(self):
        """What was said in the journal that is a warning or worse. Not by --priority: with a filter journalctl of systemd
        252 leaves out the first entry behind a cursor."""
        entries = [json.loads(line) for line in self.journal(output="json").splitlines()]
        return [entry["MESSAGE"] for entry in entries if int(entry.get("PRIORITY", 6)) <= 4]

    def wait_show(self, name, predicate, seconds=60):
        """Until a property of the unit is as `predicate` wants it: its value."""
        def look():
            value = self.show(name)
            return (value,) if predicate(value) else None
        try:
            return wait_for(f"{name} of {self.unit}", look, seconds)[0]
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.described()}") from None

    # --- arizuko-init

    def ctl(self, *arguments, user="root"):
        """arizuko-init COMMAND ... --control: asks the running instance, as `user`."""
        return run("setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups", PROGRAM,
                   *arguments, "--control", self.control, code=None)

    def ask(self, path):
        """What the control socket answers to a GET of docs/reference/cli.md, or None while nobody does: starts no process."""
        connection = http.client.HTTPConnection("localhost", timeout=15 * PATIENCE)
        try:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(15 * PATIENCE)
            connection.sock.connect(str(self.control))
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def status(self):
        """What `arizuko-init status --json --control` prints, or None while nobody answers."""
        answer = self.ask("/v1/status")
        return json.loads(answer) if answer else None

    def service(self, name):
        status = self.status()
        return next((each for each in status["services"] if each["name"] == name), None) if status else None

    def pid_of(self, name):
        """The main process of a service that runs."""
        return wait_for(f"a process of {name}", lambda: (self.service(name) or {}).get("pid"), 30)

    def events(self):
        """The history, as `arizuko-init events --json` prints it."""
        return [json.loads(line) for line in (self.ask("/v1/events") or "").splitlines()]

    def wait_ready(self, seconds=60):
        """Until everything that should be ready is, the adapters too."""
        def look():
            status = self.status()
            return status and all(each["state"] in ("ready", "done", "off") for each in status["services"])
        try:
            wait_for("every service to be ready", look, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.described()}") from None
        return self

    def wait_service(self, name, *states, seconds=60):
        def look():
            service = self.service(name)
            return service if service and service["state"] in states else None
        try:
            return wait_for(f"{name} to be {' or '.join(states)}", look, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.described()}") from None

    def get(self, path, port=9090):
        """(status, text) of an HTTP request, (0, reason) when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15 * PATIENCE)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()

    def described(self):
        """For the message of a test that failed."""
        seen_by_systemd = self.systemctl("status", "--no-pager", "--lines=0", code=None).stdout
        return f"{seen_by_systemd}\n{self.ctl('status').stdout}\n{self.journal()[-4000:]}"

    # --- processes and control groups

    @property
    def group(self):
        """The directory of the unit's control group while it runs."""
        return GROUPS / self.show("ControlGroup").lstrip("/")

    def groups(self):
        """The unit's control group and all below it, as paths from it, with the processes that are in each."""
        found = {}
        for directory, _, _ in os.walk(self.group):
            try:
                pids = [int(pid) for pid in (Path(directory) / "cgroup.procs").read_text().split()]
            except OSError:  # gone while we looked
                continue
            found[str(Path(directory).relative_to(self.group))] = pids
        return found

    def processes(self):
        """Every process of the unit."""
        return sorted(pid for pids in self.groups().values() for pid in pids)


def facts_of(pid):
    """/proc/PID/status."""
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def owner_and_mode(path):
    facts = path.stat()
    return facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)


def alive(pid):
    """Runs, that is: neither gone nor a zombie."""
    try:
        return not facts_of(pid)["State"].startswith("Z")
    except (OSError, KeyError):
        return False
