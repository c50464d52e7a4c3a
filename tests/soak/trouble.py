"""The trouble that the soak makes: each kind is a thread that goes on until it is told to pause or to end."""
import itertools
import os
import random
import secrets as random_values
import signal
import socket
import struct
import threading

from attack import CONTROL, Held, connect, pour
from pod import in_network_of

QUESTION = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
ROTATED = ("TELEGRAM_BOT_TOKEN", "SLACK_BOT_TOKEN", "CHANNEL_SECRET")


class Trouble(threading.Thread):
    """Calls `once` every `pause` seconds while the soak is not calm; `done` counts."""

    name_of_it = "?"
    pause = 1.0

    def __init__(self, soak):
        super().__init__(daemon=True)
        self.soak, self.pod, self.random = soak, soak.pod, random.Random(f"{soak.seed} {self.name_of_it}")
        self.done = 0
        self.broken = None

    def run(self):
        try:
            while not self.soak.over.wait(self.pause):
                if self.soak.calm.is_set():
                    self.rest()
                    continue
                with self.soak.busy(self):
                    self.once()
                    self.done += 1
        except Exception as error:  # told at the end: trouble that stopped is no proof
            self.broken = error

    def once(self):
        raise NotImplementedError

    def rest(self):
        """Lets go of what it holds, when all is to be calm."""


class Kills(Trouble):
    name_of_it, pause = "kills", 3.0

    def once(self):
        running = [s for s in (self.pod.status() or {"services": []})["services"] if s["pid"] and s["kind"] == "service"]
        if not running:
            return
        outer = self.pod.outer_pid(self.random.choice(running)["pid"])
        if outer:
            os.kill(outer, self.random.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)))


class Floods(Trouble):
    name_of_it, pause = "floods", 4.0
    PORTS = (9080, 9001, 9002)

    def once(self):
        """Of lines that hold a secret's neighbours: long ones, short ones."""
        size = self.random.choice((0, 200, 5000))
        self.pod.get("/v1/rehearsal/fault", self.random.choice(self.PORTS), method="POST",
                     body=f"flood {20000 if size < 1000 else 2000} {size}")


class Rotations(Trouble):
    """Good ones, bad ones (the adapter refuses the value and the pod goes back), torn ones (a kubelet that stops)."""

    name_of_it, pause = "rotations", 5.0

    def __init__(self, soak):
        super().__init__(soak)
        self.kinds = itertools.cycle(("good", "good", "torn", "bad"))
        self.counts = {"good": 0, "torn": 0, "bad": 0}

    def fresh(self, key):
        value = f"soak-{key.lower()}-{random_values.token_hex(12)}"
        self.soak.secrets.add(value)
        return value

    def once(self):
        kind = next(self.kinds)
        getattr(self, kind)()
        self.counts[kind] += 1

    def good(self):
        key = self.random.choice(ROTATED)
        self.soak.values[key] = self.fresh(key)
        self.pod.secret.write(self.soak.values)

    def torn(self):
        key = self.random.choice(ROTATED)
        steps = self.pod.secret.steps(self.soak.values | {key: self.fresh(key)})
        for _ in range(self.random.randrange(1, 6)):
            next(steps, None)
        self.soak.over.wait(0.5)
        self.good()

    def bad(self):
        value = self.fresh("TELEGRAM_BOT_TOKEN")
        self.pod.fault("teled", f"refuse TELEGRAM_BOT_TOKEN {value}")
        self.pod.secret.write(self.soak.values | {"TELEGRAM_BOT_TOKEN": value})
        self.soak.over.wait(4.0)
        self.pod.fault("teled", "")
        self.good()


class Strangers(Trouble):
    """At the probe port and the page: they pipeline, dribble, hold on, send bodies, reset."""

    name_of_it, pause = "strangers", 0.1

    def __init__(self, soak):
        super().__init__(soak)
        self.held = Held(150)
        self.turns = itertools.cycle((self.pipeline, self.dribble, self.idle, self.body, self.reset, self.page))

    def once(self):
        try:
            in_network_of(self.pod.pid1, next(self.turns))
        except OSError:
            pass  # sent away

    def rest(self):
        self.held.close()

    def pipeline(self):
        self.held.add(connect(receive_buffer=4096))
        pour(self.held.all[-1], QUESTION * 1500)

    def dribble(self):
        self.held.add(connect())
        for each in self.held.all:
            pour(each, b"G")

    def idle(self):
        for _ in range(3):
            self.held.add(connect())

    def body(self):
        self.held.add(connect())
        pour(self.held.all[-1], b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n" + b"x" * 50000)

    def reset(self):
        for data in (b"GET /me", QUESTION):
            connection = connect()
            pour(connection, data)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    def page(self):
        self.held.add(connect(9091, receive_buffer=4096))
        pour(self.held.all[-1], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 500)


class Followers(Trouble):
    """At the control socket: they follow, and stop reading."""

    name_of_it, pause = "stalled followers", 0.5
    TARGETS = ("/v1/logs?follow=1&lines=100000", "/v1/events?follow=1", "/v1/logs?follow=1&service=gated&service=teled")

    def __init__(self, soak):
        super().__init__(soak)
        self.held = Held(80)

    def once(self):
        target = self.random.choice(self.TARGETS)

        def follow():
            made = socket.socket(socket.AF_UNIX)
            made.settimeout(5)
            made.connect(CONTROL)
            made.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            return made
        try:
            self.held.add(in_network_of(self.pod.pid1, follow))
        except OSError:
            pass

    def rest(self):
        self.held.close()


class Operator(Trouble):
    """Asks everything that can be asked, must always be answered, and looks for secrets in the answers."""

    name_of_it, pause = "questions", 2.0

    def once(self):
        for words in (("status",), ("status", "--json"), ("why",), ("events", "--json"), ("logs", "--lines", "2000"),
                      ("secrets", "--json")):
            done = self.pod.ctl(*words)
            assert done.returncode in (0, 1), f"{words}: exit {done.returncode}: {done.stderr}"
            self.soak.secrets.look(" ".join(words), done.stdout + done.stderr)
        for path, port in (("/metrics", 9090), ("/health", 9090), ("/readyz", 9090), ("/", 9091)):
            status, text = self.pod.get(path, port)
            assert status in (200, 503), f"{path}: {status} {text[:200]}"
            self.soak.secrets.look(path, text)
        self.soak.secrets.look("termination log", self.pod.termination_log.read_bytes())
        self.soak.secrets.look("stderr", self.pod.errors())


ALL = (Kills, Floods, Rotations, Strangers, Followers, Operator)
