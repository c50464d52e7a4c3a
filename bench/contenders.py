"""Who does the work of bench/run, and how each is set up: at its best for that work.

    floor fork, floor vfork   bench/floor.c: spawns, waits, respawns, kills; decides nothing
    floor sessions            the same with vfork, and a session for each child
    arizuko-init              a plan of plain services, `restart = { delay = "0s", budget = 0 }`; 40 secrets to redact,
                              log pipes and control socket on, probes off
    runit                     runsvdir over one directory a service, without log services. It ends by SIGHUP, which
                              takes the services along
    s6                        s6-svscan, the same directories, `-c` above their number
    supervisord               all services are one program with numprocs, so that they stop together; startsecs = 0,
                              so that no end counts as a failed start; outputs to /dev/null, log level error
    tini                      one program is all it runs: orphans only

The `run` file of runit and s6 is no shell script: its first line names the program, so nothing stands between
supervisor and service. What a peer cannot be told is what it does by itself: runsv and s6-supervise wait a second
before they start again what ran for less than one.

PID 1 in `orphans` is what stands here: of runit that is runsvdir, as in many images, not runit-init.

dinit is no package of Debian 12, so it is not here.
"""
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
INIT = BUILD / "arizuko-init"


def program(name):
    return str(BUILD / "bench" / f"bench_{name}")


@dataclass(frozen=True)
class Contender:
    name: str
    # Writes what is needed into a directory for services (name -> argv, all alike); the command to run.
    set_up: Callable[[Path, dict], list]
    ends_by: int = signal.SIGTERM
    package: str = ""  # of Debian; none: our own
    needs: str = ""  # the executable that has to be there
    one_program: bool = False  # it cannot run several

    def missing(self):
        if not self.needs or shutil.which(self.needs):
            return None
        return f"{self.name}: left out, not installed: apt-get install {self.package}"


def floor(how):
    def set_up(_directory, services):
        return [program("floor"), how, str(len(services)), *next(iter(services.values()))]

    return set_up


def toml_list(words):
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


def write_plan(directory, services):
    """A plan of `services` (name -> list of lines of TOML)."""
    text = [f'[pod]\ninstance = "bench"\ndata_dir = "{directory}/data"\nprobes = "off"\npage = "off"\n'
            f'control = "{directory}/control.sock"\nready_when = []\ngrace = "40s"\n'
            f'[env]\nsources = ["dir:{directory}/secrets"]\n']
    for name, lines in services.items():
        text.append(f"[service.{name}]\n" + "\n".join(lines) + "\n")
    path = directory / "plan.toml"
    path.write_text("\n".join(text))
    return path


def plain_service(argv):
    return [f"command = {toml_list(argv)}", 'restart = { delay = "0s", budget = 0 }',
            'stop = { timeout = "1s", leftovers = "1s" }']


def arizuko_init(directory, services):
    plan = write_plan(directory, {name: plain_service(argv) for name, argv in services.items()})
    return [str(INIT), "run", "--plan", str(plan), "--log", "console"]


def run_files(directory, services):
    """One directory a service. The kernel calls what the first line names with its words as one argument (execve(2)),
    so more than one is handed over by env(1), which becomes the program."""
    for name, (executable, *words) in services.items():
        folder = directory / "services" / name
        folder.mkdir(parents=True)
        run = folder / "run"
        first = f"#!{executable} {words[0]}" if len(words) == 1 else f"#!/usr/bin/env -S {executable} {' '.join(words)}"
        run.write_text(first + "\n")
        run.chmod(0o755)
    return str(directory / "services")


def runit(directory, services):
    return ["runsvdir", run_files(directory, services)]


def s6(directory, services):
    return ["s6-svscan", "-c", str(len(services) + 10), run_files(directory, services)]


def supervisord(directory, services):
    path = directory / "supervisord.conf"
    path.write_text(
        f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\nloglevel=error\n"
        f"pidfile={directory}/supervisord.pid\nminfds=8192\n"
        f"[program:s]\ncommand={' '.join(next(iter(services.values())))}\nprocess_name=s%(process_num)d\n"
        f"numprocs={len(services)}\nautorestart=true\nstartsecs=0\nredirect_stderr=true\n"
        f"stdout_logfile=/dev/null\nstdout_logfile_maxbytes=0\n")
    return ["supervisord", "-c", str(path)]


def tini(_directory, services):
    return ["tini", "--", *next(iter(services.values()))]


OURS = [*(Contender(f"floor {how}", floor(how)) for how in ("fork", "vfork", "sessions")),
        Contender("arizuko-init", arizuko_init)]
PEERS = [
    Contender("runit", runit, ends_by=signal.SIGHUP, package="runit", needs="runsvdir"),
    Contender("s6", s6, package="s6", needs="s6-svscan"),
    Contender("supervisord", supervisord, package="supervisor", needs="supervisord"),
    Contender("tini", tini, package="tini", needs="tini", one_program=True),
]


def executable(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""  # it has ended


def supervising(root):
    """`root` and what descends from it, without the services themselves."""
    children = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path(f"/proc/{entry}/stat").read_text()
        except OSError:
            continue  # it has ended
        children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return [pid for pid in found if executable(pid) not in ("", program("beacon"))]
