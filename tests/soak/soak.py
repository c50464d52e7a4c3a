"""The soak: see scripts/soak. A third of the time is a warm-up under all the trouble there is, then come two more
thirds; after each it is calm, and what PID 1 holds is written down."""
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "attack")]

from kubelet import Volume  # noqa: E402
from pod import Pod, wait_for  # noqa: E402
from trouble import ALL, ROTATED, Rotations  # noqa: E402
from watch import Reader, Sample, Secrets  # noqa: E402

CALM_SECONDS = 11  # the patience of a connection is 10 s: what the trouble has left is gone then
FIXED = ("AUTH_SECRET", "PROXYD_HMAC_SECRET", "SLACK_SIGNING_SECRET")
# What is bounded may still be filling at the start: 4096 events of history, 64 KiB of lines a service, the values of
# former rotations that are still looked for. From the middle on there is less of it to come.
START_MARGIN_KB, MIDDLE_MARGIN_KB = 2048, 1024
COUNT_MARGIN = 2  # of descriptors and processes: one look may meet an exec condition


class Soak:
    def __init__(self, minutes, seed):
        self.seconds, self.seed = minutes * 60, seed
        self.over, self.calm = threading.Event(), threading.Event()
        self.at_work, self.work = set(), threading.Condition()
        self.secrets = Secrets()
        self.values = {key: f"soak-{key.lower()}-{os.urandom(12).hex()}" for key in (*ROTATED, *FIXED)}
        for value in self.values.values():
            self.secrets.add(value)
        self.values["AUTH_BASE_URL"] = "https://chat.example"
        self.complaints = []
        self.samples = []
        self.pod = None

    @contextlib.contextmanager
    def busy(self, trouble):
        with self.work:
            self.at_work.add(trouble)
        try:
            yield
        finally:
            with self.work:
                self.at_work.discard(trouble)
                self.work.notify_all()

    def start(self):
        ends = os.pipe()
        self.pod = Pod(start=False, stdout=ends[1])
        self.pod.secret = Volume(self.pod.out / "secrets", self.values)
        sources = json.dumps([f"dotenv:{self.pod.data}/.env", "environment", f"dir:{self.pod.secret.path}"])
        self.pod.options += ["--set", f"env.sources={sources}"]
        for service in self.services():  # a kill every few seconds must not use up a budget of failures
            self.pod.options += ["--set", f"service.{service}.restart.budget=0"]
        self.pod.start()
        os.close(ends[1])
        Reader(ends[0], self.secrets).start()
        self.pod.wait_ready()

    @staticmethod
    def services():
        import pod
        return [name for name, each in pod.services_of(pod.check("--set", "pod.data_dir=/srv/soak")).items() if each["kind"] == "service"]

    def prober(self):
        return subprocess.Popen(["nsenter", "-t", str(self.pod.pid1), "-n", sys.executable, "-I", str(HERE / "prober.py")],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def trouble_for(self, seconds):
        self.calm.clear()
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.alive():
            time.sleep(0.2)

    def settle(self, name):
        """Calm: every thread pauses, every service is ready; then what PID 1 holds."""
        self.calm.set()
        with self.work:
            self.work.wait_for(lambda: not self.at_work, 60)
        if not self.alive():
            return
        self.pod.ctl("reload")
        try:
            wait_for("every service to be ready again", lambda: self.pod.ctl("status").returncode == 0, 90, 0.2)
            wait_for("the last values to be in use", self.values_in_use, 60, 0.2)
        except AssertionError as error:
            self.complaints.append(f"{name}: {error}; {self.pod.ctl('why').stdout.strip()}")
        time.sleep(CALM_SECONDS)
        before, at = Sample(self.pod), time.monotonic()
        time.sleep(1)
        sample = Sample(self.pod)
        sample.idle = (sample.cpu - before.cpu) / (time.monotonic() - at)
        sample.name, sample.at = name, time.monotonic()
        self.samples.append(sample)

    def values_in_use(self):
        try:
            return self.pod.environ("teled").get("TELEGRAM_BOT_TOKEN") == self.values["TELEGRAM_BOT_TOKEN"]
        except (OSError, AssertionError, TypeError):
            return False

    def alive(self):
        if self.pod.process.poll() is None:
            return True
        sentence = f"PID 1 ended with {self.pod.process.poll()}: {self.pod.errors()[-500:]}"
        if sentence not in self.complaints:
            self.complaints.append(sentence)
        return False

    def run(self):
        self.start()
        prober = self.prober()
        troubles = [each(self) for each in ALL]
        for each in troubles:
            each.start()
        attack = max(10.0, (self.seconds - 3 * (CALM_SECONDS + 4)) / 3)
        for name in ("start", "middle", "end"):
            self.trouble_for(attack)
            self.settle(name)
        self.over.set()
        probed = json.loads(prober.communicate("")[0])
        for each in troubles:
            each.join(30)
        self.judge(probed, troubles)
        self.report(probed, troubles)

    def judge(self, probed, troubles):
        complain = self.complaints.append
        if self.alive() and self.pod.stop() != 0:
            complain(f"PID 1 did not end with 0: {self.pod.errors()[-500:]}")
        for each in troubles:
            if each.broken is not None:
                complain(f"{each.name_of_it}: {each.broken}")
            elif each.done == 0:
                complain(f"{each.name_of_it}: not once; this run was too short to say anything")
        for where, found in self.secrets.found.items():
            complain(f"a secret value was shown in {where}: {found!r}")
        if probed["failed"]:
            complain(f"/livez was late or wrong {len(probed['failed'])} of {probed['asked']} times: {probed['failed'][:3]}")
        if len(self.samples) < 3:
            return complain("it did not come to its end")
        start, middle, end = self.samples
        if end.rss > start.rss + START_MARGIN_KB or end.rss > middle.rss + MIDDLE_MARGIN_KB:
            complain(f"memory grew: {start.rss}, {middle.rss}, {end.rss} kB")
        if end.descriptors > start.descriptors + COUNT_MARGIN:
            complain(f"descriptors grew from {start.descriptors} to {end.descriptors}")
        if end.threads != 1 or start.threads != 1:
            complain(f"there are {end.threads} threads: there is one, and PID 1 forks")
        if end.processes > start.processes + COUNT_MARGIN:
            complain(f"processes grew from {start.processes} to {end.processes}")
        if any(sample.zombies for sample in self.samples):
            complain(f"zombies: {[sample.zombies for sample in self.samples]}")
        if any(sample.idle > 0.2 for sample in self.samples):
            complain(f"it is busy while all is calm: {[f'{s.idle:.0%}' for s in self.samples]} of a CPU")

    def report(self, probed, troubles):
        rows = [("resident, kB", lambda s: s.rss), ("descriptors", lambda s: s.descriptors),
                ("threads", lambda s: s.threads), ("processes of the pod", lambda s: s.processes),
                ("CPU so far, s", lambda s: f"{s.cpu:.1f}"), ("CPU while calm", lambda s: f"{s.idle:.1%}")]
        print(f"{'':24}" + "".join(f"{s.name:>12}" for s in self.samples))
        for title, value in rows:
            print(f"{title:24}" + "".join(f"{value(s):>12}" for s in self.samples))
        rotations = next(each for each in troubles if isinstance(each, Rotations))
        print("done:", ", ".join(f"{each.done} {each.name_of_it}" for each in troubles))
        print("rotations:", ", ".join(f"{count} {kind}" for kind, count in rotations.counts.items()))
        print(f"/livez: asked {probed['asked']} times, slowest {probed['slowest'] * 1000:.0f} ms, "
              f"{len(probed['failed'])} late or wrong")
        print(f"{len(self.secrets.values)} secret values looked for in {self.secrets.bytes // 2**20} MiB of output")
        print(f"seed {self.seed}")


def main():
    minutes = float(sys.argv[1])
    if minutes < 1:
        sys.exit("scripts/soak: less than a minute says nothing")
    soak = Soak(minutes, os.environ.get("SOAK_SEED") or os.urandom(4).hex())
    try:
        soak.run()
    finally:
        if soak.pod:
            soak.pod.close()
    for each in soak.complaints:
        print("scripts/soak:", each, file=sys.stderr)
    sys.exit(1 if soak.complaints else 0)


main()
