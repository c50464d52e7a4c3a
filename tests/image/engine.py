"""Images and containers for the tests: podman without a daemon, with a store of its own that is gone afterwards.

Containers run as Kubernetes would run them: uid 1000, no capability, no_new_privs, a root without any writable
place, no network. scripts/image names the engine's settings in CONTAINERS_CONF."""
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from pod import BUILD, ROOT, UID, wait_for

RESTRICTED = ["--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges",
              "--user=1000:1000", "--network=none",
              # podman would ask systemd for a timer; the tests ask themselves.
              "--no-healthcheck"]
INIT_IN_IMAGE = "/usr/local/bin/arizuko-init"


class Engine:
    def __init__(self):
        self.base = Path(tempfile.mkdtemp(prefix="arizuko-image-"))
        self.binaries = self.base / "binaries"
        subprocess.run([ROOT / "scripts" / "image-layout", BUILD, self.binaries], check=True)

    def close(self):
        """Only what is in the store of our own: `podman system reset` would take this machine's networks, too."""
        for words in (("rm", "--all", "--force", "--volumes", "--time=0"), ("image", "unmount", "--all", "--force"),
                      ("rmi", "--all", "--force")):
            self.run(*words, check=False)
        subprocess.run(["umount", "--quiet", self.base / "root" / "overlay"])
        shutil.rmtree(self.base, ignore_errors=True)

    def run(self, *words, check=True, timeout=120):
        done = subprocess.run(["podman", "--root", self.base / "root", "--runroot", self.base / "runroot",
                               "--storage-driver", "overlay", *words], capture_output=True, text=True, timeout=timeout)
        assert not check or done.returncode == 0, f"podman {words}: {done.stdout}{done.stderr}"
        return done

    def build(self, tag, *options, context=ROOT):
        """The id of an image. Time stamps are fixed, so the same input gives the same id."""
        self.run("build", "--network=none", "--format=docker", "--timestamp=0", "--tag", tag, *options, str(context))
        return self.run("image", "inspect", "--format", "{{.Id}}", tag).stdout.strip()

    def build_target(self, target, *options):
        """One stage of the Dockerfile, made of the programs that are built already."""
        return self.build(f"localhost/arizuko-{target}:test", "--target", target,
                          "--build-context", f"binaries={self.binaries}", *options)

    def config(self, image):
        """What an image says about how it is run."""
        return json.loads(self.run("image", "inspect", image).stdout)[0]

    def files(self, image):
        """Every file and link of an image."""
        root = Path(self.run("image", "mount", image).stdout.strip())
        return {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_symlink() or path.is_file()}


class Container:
    def __init__(self, engine, image, *options, command=()):
        self.engine = engine
        self.id = engine.run("run", "--detach", *RESTRICTED, *options, image, *command).stdout.strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.engine.run("rm", "--force", "--volumes", "--time=0", self.id, check=False)

    def inspect(self):
        return json.loads(self.engine.run("container", "inspect", self.id).stdout)[0]

    @property
    def pid(self):
        """PID 1's number on this machine."""
        return self.inspect()["State"]["Pid"]

    def exec(self, *words):
        return self.engine.run("exec", self.id, *words, check=False)

    def ctl(self, *words):
        return self.exec(INIT_IN_IMAGE, *words)

    def logs(self):
        done = self.engine.run("logs", self.id)
        return done.stdout + done.stderr

    def wait_ready(self, seconds=40):
        try:
            wait_for("everything in the container to be ready", lambda: self.ctl("status").returncode == 0, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.ctl('status').stdout}\n{self.logs()[-4000:]}") from None
        return self

    def wait_exit(self, seconds=60):
        """The exit code of PID 1."""
        return int(self.engine.run("wait", self.id, timeout=seconds).stdout)

    def stop(self, seconds):
        """SIGTERM by the image's STOPSIGNAL, SIGKILL after `seconds`; the exit code."""
        self.engine.run("stop", f"--time={seconds}", self.id)
        return self.inspect()["State"]["ExitCode"]

    def services(self):
        """The services by name, as status shows them."""
        return {each["name"]: each for each in json.loads(self.ctl("status", "--json").stdout)["services"]}

    def environ(self, service):
        """What a service's main process was given, read from outside."""
        inner = self.services()[service]["pid"]
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        outer = next(pid for pid in children if proc_status(pid)["NSpid"].split()[-1] == str(inner))
        entries = Path(f"/proc/{outer}/environ").read_bytes().split(b"\0")
        return dict(entry.decode().split("=", 1) for entry in entries if entry)


def proc_status(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())


def owned_directory(path):
    """A directory that belongs to the user in the container, as a volume with fsGroup would."""
    path.mkdir(parents=True)
    os.chown(path, UID, UID)
    return path
