"""A container: a local process with three pipes, a log, and connections attached to it.

Its file system is a directory of symbolic links: what the pod mounts at /workspace/ipc is at
$AGENT_ROOT/workspace/ipc. Standard input and stdinOnce behave as with containerd: what was written before a
connection came is not sent to it, and the first connection that fed standard input closes it when it ends.
"""
import os
import signal
import subprocess
import threading
from pathlib import Path


class AgentProcess:
    def __init__(self, command, environment, mounts, root, on_exit):
        self.root = Path(root)
        for path, target in mounts.items():
            link = self.root / path.lstrip("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
        self.lock = threading.Lock()
        self.log = bytearray()
        self.listeners = []
        self.exit_code = None
        self.ended = threading.Event()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.root,
            env={**environment, "AGENT_ROOT": str(self.root), "PATH": os.environ["PATH"]}, start_new_session=True)
        self.readers = [threading.Thread(target=self._read, args=(channel, pipe), daemon=True)
                        for channel, pipe in ((1, self.process.stdout), (2, self.process.stderr))]
        for reader in self.readers:
            reader.start()
        threading.Thread(target=self._wait, args=(on_exit,), daemon=True).start()

    def _read(self, channel, pipe):
        while data := os.read(pipe.fileno(), 16384):
            with self.lock:
                self.log += data
                listeners = list(self.listeners)
            for listener in listeners:
                listener(channel, data)

    def _wait(self, on_exit):
        code = self.process.wait()
        for reader in self.readers:
            reader.join(2)  # a grandchild may hold the pipes
        self.exit_code = 128 - code if code < 0 else code
        self.ended.set()
        on_exit(self.exit_code)

    def attach(self, listener):
        with self.lock:
            self.listeners.append(listener)

    def detach(self, listener):
        with self.lock:
            if listener in self.listeners:
                self.listeners.remove(listener)

    def write(self, data):
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except (OSError, ValueError):
            pass  # it does not read

    def close_stdin(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass

    def kill(self, number=signal.SIGKILL):
        try:
            os.kill(self.process.pid, number)
        except ProcessLookupError:
            pass

    def exec(self, command):
        """(exit code, stdout, stderr) of a command "in the container": pid 1 there is our process here."""
        words = list(command)
        if words[0] not in ("kill", "node"):
            return None, b"", f'exec: "{words[0]}": executable file not found in $PATH'.encode()
        if words[0] == "kill" and words[-1] == "1":
            words[-1] = str(self.process.pid)
        if words[0] == "node":
            words[-1] = words[-1].replace("kill(1,", f"kill({self.process.pid},")
        done = subprocess.run(words, capture_output=True, timeout=10)
        return done.returncode, done.stdout, done.stderr
