"""What the attacks share: how long they last, strangers inside the pod's network, and a kubelet that goes on asking.

Everything stays inside the namespaces of the pod that is attacked. ARIZUKO_ATTACK_SECONDS: how long an attack that
could go on for ever goes on (2; scripts/test long takes more).
"""
import os
import socket
import subprocess
import threading
import time

from pod import in_network_of, own_plan, wait_for

SECONDS = float(os.environ.get("ARIZUKO_ATTACK_SECONDS", "2"))
PROBES = 9090
CONTROL = "\0arizuko-init/demo"
KUBELET_TIMEOUT = 5  # timeoutSeconds of the liveness probe in k8s/base

# Two daemons of the least kind: one that the tests kill, and one that writes a line when told to.
TWO = """
[pod]
data_dir = "{data}"
grace = "15s"
probes = "0.0.0.0:9090"
page = "127.0.0.1:9091"

[service.steady]
command = ["sleep", "3600"]
restart = { delay = "20ms", budget = 0 }

[service.other]
command = ["sleep", "3600"]
restart = { delay = "20ms", budget = 0 }
"""


def two(a_pod, plan=TWO, **options):
    """A pod with the two daemons, started, both ready."""
    pod = own_plan(a_pod, plan, **options).start()
    pod.wait_service("steady", "ready")
    pod.wait_service("other", "ready")
    return pod


class InPod(threading.Thread):
    """Calls `step` again and again, inside the pod's network, until it is stopped or the block ends."""

    def __init__(self, pod, step, pause=0.0):
        super().__init__(daemon=True)
        self.pid1, self.step, self.pause = pod.pid1, step, pause
        self.over = threading.Event()
        self.trouble = None
        self.steps = 0

    def run(self):
        def loop():
            while not self.over.is_set():
                self.step()
                self.steps += 1
                self.over.wait(self.pause)
        try:
            in_network_of(self.pid1, loop)
        except Exception as error:  # an attack that broke is no proof: the test looks
            self.trouble = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(30)
        assert self.trouble is None, self.trouble
        assert self.steps > 0, "not one step was made"


class Kubelet(InPod):
    """Asks /livez, each time over a new connection, and keeps what was not a 200 in time."""

    def __init__(self, pod, path="/livez", port=PROBES, pause=0.1):
        super().__init__(pod, self.ask, pause)
        self.path, self.port = path, port
        self.asked, self.failed, self.slowest = 0, [], 0.0

    def ask(self):
        begun = time.monotonic()
        try:
            with socket.create_connection(("127.0.0.1", self.port), KUBELET_TIMEOUT) as connection:
                connection.settimeout(KUBELET_TIMEOUT)
                connection.sendall(f"GET {self.path} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n".encode())
                answer = connection.recv(4096)
            said = answer.split(b"\r\n", 1)[0].decode("latin-1")
        except OSError as error:
            said = f"{type(error).__name__}: {error}"
        took = time.monotonic() - begun
        self.asked += 1
        self.slowest = max(self.slowest, took)
        if not said.startswith("HTTP/1.1 200") or took > KUBELET_TIMEOUT:
            self.failed.append(f"{said} after {took:.2f} s")

    def never_failed(self):
        assert self.asked > 0
        assert not self.failed, f"{len(self.failed)} of {self.asked}: {self.failed[:3]}"


def connect(port=PROBES, timeout=5, receive_buffer=None):
    """A connection of a stranger; to be called inside the pod's network."""
    made = socket.socket(socket.AF_INET)
    if receive_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.settimeout(timeout)
    made.connect(("127.0.0.1", port))
    return made


def pour(connection, data):
    """Sends what is taken at once, and waits for nothing; whether the connection is still there."""
    connection.setblocking(False)
    try:
        connection.send(data)
    except BlockingIOError:
        pass
    except OSError:
        return False
    return True


class Held:
    """Connections that stay open, at most `most`, the oldest go first."""

    def __init__(self, most=200):
        self.most, self.all = most, []

    def add(self, connection):
        self.all.append(connection)
        while len(self.all) > self.most:
            self.all.pop(0).close()

    def close(self):
        while self.all:
            self.all.pop().close()


def socket_memory(pod, port=PROBES):
    """Bytes that the kernel holds for the server's ends of connections to `port`: ss(8), skmem r, w and f."""
    out = subprocess.run(["nsenter", "-t", str(pod.pid1), "-n", "ss", "-tmnaHO", "sport", "=", f":{port}"],
                         capture_output=True, text=True, check=True).stdout
    total = 0
    for line in out.splitlines():
        if "skmem:(" in line:
            fields = line.split("skmem:(", 1)[1].split(")", 1)[0].split(",")
            total += sum(int(field[1:]) for field in fields if field[0] in "rwf" and field[1:].isdigit())
    return total


def resident(pod):
    """Bytes of memory that PID 1 holds."""
    with open(f"/proc/{pod.pid1}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def descriptors(pod):
    return len(os.listdir(f"/proc/{pod.pid1}/fd"))


def restarts_at_once(pod, service="steady"):
    """Kills a service: it must be back as another process."""
    seq = pod.last_seq()
    old = pod.kill(service)
    pod.wait_state_event(service, "ready", seq)
    wait_for(f"another process of {service}", lambda: pod.service(service)["pid"] not in (None, old))


def operator_is_answered(pod):
    done = pod.ctl("status", "--json")
    assert done.returncode in (0, 1) and done.stdout, (done.returncode, done.stderr)


def runs_or_says_why(pod, *words):
    """After a start that something stands in the way of: the pod runs, or it has ended with an exit code that means
    it and a sentence with one of the words. True: it runs."""
    def look():
        if pod.process.poll() is not None:
            return "ended"
        try:
            service = pod.service("steady")
        except AssertionError:  # it ends just now
            return None
        return "runs" if service and service["state"] == "ready" else None
    if wait_for("a start or a refusal", look, 20) == "runs":
        return True
    assert pod.process.poll() in (73, 77, 78), (pod.process.poll(), pod.errors())
    assert any(word in pod.errors() for word in words), pod.errors()
    return False
