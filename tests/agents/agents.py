"""What the tests of arizuko-docker share: a server, its volume, and the command as gated and runed call it."""
import os
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from api_server import ApiServer, Cluster  # noqa: E402
from pod import wait_for  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("ARIZUKO_BUILD", ROOT / "build" / "release"))
DOCKER = BUILD / "arizuko-docker"
IMAGE = "arizuko-ant:latest"

# `docker run` as the daemon of each line writes it: -e, and -v of what lies below the data directory or elsewhere.
DATA = "/srv/data/arizuko_demo"
LINES = {
    "gated": {"env": ["TZ=UTC"],
              "mounts": [f"{DATA}/groups/main:/home/node", "/opt/arizuko:/workspace/self:ro",
                         f"{DATA}/ipc/main:/workspace/ipc"]},
    "runed": {"env": ["TZ=", "ARIZUKO_MODEL=", "ARIZUKO_QUERY_TIMEOUT_MS="],
              "mounts": [f"{DATA}/groups/main:/home/node", f"{DATA}/app-src:/opt/arizuko:ro",
                         f"{DATA}/groups/main/share:/var/lib/share", f"{DATA}/ipc/main:/run/ipc"]},
}

# An agent that reads its one JSON object to the end, as the real one does.
ECHO = """
import json, sys
request = json.loads(sys.stdin.read())
print("out " + request.get("prompt", ""), flush=True)
print("[ant] " + request.get("prompt", ""), file=sys.stderr, flush=True)
sys.exit(request.get("exit", 0))
"""


def python(code):
    return ["/usr/bin/python3", "-c", code]


class Bench:
    """A cluster whose volume holds the instance `demo`, and the environment that gated, or the caller of `line`, has there."""

    def __init__(self, tmp_path, code=ECHO, line="gated", **cluster):
        self.line = LINES[line]
        self.volume = tmp_path / "volume"
        self.data = self.volume / "arizuko_demo"
        (self.data / "groups" / "main").mkdir(parents=True)
        self.cluster = Cluster(self.volume, {IMAGE: python(code)}, **cluster)
        self.server = ApiServer(self.cluster, tmp_path / "server")
        self.env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "ARIZUKO_INSTANCE": "demo",
                    "DATA_DIR": DATA, "HOST_DATA_DIR": DATA,
                    "HOST_APP_DIR": "/opt/arizuko", **self.server.environment()}
        self.running = []

    def command(self, *words, **more):
        return subprocess.run([DOCKER, *words], env={**self.env, **more.pop("env", {})}, capture_output=True,
                              text=True, timeout=more.pop("timeout", 60), **more)

    def run_words(self, name, *more, image=IMAGE):
        env = [word for each in self.line["env"] for word in ("-e", each)]
        mounts = [word for each in self.line["mounts"] for word in ("-v", each)]
        return ["run", "-i", "--rm", "--name", name, "--shm-size=1g", *env, *more, *mounts, image]

    def run(self, name="arizuko-Andy-main-1", *more, request='{"prompt":"hello"}', image=IMAGE, **options):
        return self.command(*self.run_words(name, *more, image=image), input=request, **options)

    def start(self, name="arizuko-Andy-main-1", *more, image=IMAGE, env=None, request='{"prompt":"hello"}'):
        process = subprocess.Popen([DOCKER, *self.run_words(name, *more, image=image)], env={**self.env, **(env or {})},
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.running.append(process)
        if request is not None:
            process.stdin.write(request)
            process.stdin.close()
            process.stdin = None  # communicate() must not flush it
        return process

    def jobs(self):
        return self.cluster.store.list("jobs", {})[0]

    def pod(self, phase="Running"):
        """The one pod of an agent, once it is in `phase`."""
        return wait_for(f"an agent's pod is {phase}", lambda: next(
            (pod for pod in self.cluster.store.list("pods", {})[0]
             if pod["metadata"]["name"] != "arizuko-0" and pod["status"]["phase"] == phase), None))

    def close(self):
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
            for pipe in (process.stdout, process.stderr):
                pipe.close()
        self.server.close()
