"""What the soak looks at: what PID 1 holds, and everything that comes out of it."""
import os
import re
import threading
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Sample:
    """What PID 1 holds at one moment."""

    def __init__(self, pod):
        proc = Path(f"/proc/{pod.pid1}")
        status = dict(re.findall(r"^(\w+):\s+(\d+)", (proc / "status").read_text(), re.M))
        self.rss = int(status["VmRSS"])
        self.threads = int(status["Threads"])
        self.descriptors = len(os.listdir(proc / "fd"))
        fields = (proc / "stat").read_text().rsplit(")", 1)[1].split()
        self.cpu = (int(fields[11]) + int(fields[12])) / TICKS
        self.processes = len(pod.processes())
        self.zombies = len(pod.zombies())


class Secrets:
    """Every value that was ever given to the pod, and the outputs in which one of them was found."""

    def __init__(self):
        self.values = set()
        self.found = {}
        self.bytes = 0
        self.lock = threading.Lock()

    def add(self, value):
        with self.lock:
            self.values.add(value.encode())

    def look(self, where, data):
        if isinstance(data, str):
            data = data.encode()
        with self.lock:
            self.bytes += len(data)
            for value in self.values:
                if value in data:
                    self.found.setdefault(where, data[max(0, data.index(value) - 60):][:160])


class Reader(threading.Thread):
    """Reads PID 1's stdout to its end, keeps the last lines only, and looks for secrets in all of it."""

    def __init__(self, descriptor, secrets):
        super().__init__(daemon=True)
        self.descriptor, self.secrets = descriptor, secrets
        self.tail = b""

    def run(self):
        # As long as the longest value: one that lies across two pieces is seen, too.
        overlap = b""
        while True:
            piece = os.read(self.descriptor, 1 << 16)
            if not piece:
                return
            self.secrets.look("stdout", overlap + piece)
            overlap = piece[-256:]
            self.tail = (self.tail + piece)[-8000:]
