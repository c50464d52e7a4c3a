"""Where the values lie in the memory of PID 1: in pages that are locked and in no core file, and nowhere else. What was composed for
a child, compared or sent was freed, and what is freed is wiped. (Of a guarded value the engine keeps a copy of its own.)"""
import re

from kubelet import Volume
from pod import own_plan

MONDAY = "monday-x7Kq92mZpT4wRb8sLd3v"
TUESDAY = "tuesday-Yn6cHf5tGj1kWq0eUi9o"

PLAN = '''[env]
sources = ["dir:{out}/secrets"]
guarded = ["AUTH_SECRET"]
[service.takes]
command = ["sleep", "1000"]
take = ["BOT_TOKEN"]
env = { HEADER = "Bearer ${BOT_TOKEN}" }
[service.is_bound]
command = ["sleep", "1000"]
after = ["takes"]
take = ["BOT_TOKEN", "AUTH_SECRET"]
'''


def unlocked_places_of(text, pid):
    """The mappings of process `pid` that hold `text` and are not locked in memory (mlock, "lo" in VmFlags: proc(5))."""
    mappings, flags = [], {}
    for line in open(f"/proc/{pid}/smaps"):
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) .*?(\S*)$", line)
        if head:
            mappings.append((int(head[1], 16), int(head[2], 16), head[3], head[4]))
        elif line.startswith("VmFlags:"):
            flags[mappings[-1][0]] = line.split()[1:]
    places = []
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for begin, end, rights, name in mappings:
            if not rights.startswith("rw") or "lo" in flags[begin]:
                continue
            memory.seek(begin)
            if text.encode() in memory.read(end - begin):
                places.append(f"{begin:x}-{end:x} {name}")
    return places


def test_a_value_lies_in_locked_memory_only_also_after_it_was_rotated_and_shown(a_pod):
    pod = own_plan(a_pod, PLAN.replace("{out}", "PLACE"))
    volume = Volume(pod.out / "secrets", {"BOT_TOKEN": MONDAY, "AUTH_SECRET": MONDAY[::-1]})
    pod.write_plan(pod.plan.read_text().replace("PLACE", str(pod.out)))
    pod.start().wait_ready()
    before = pod.last_seq()
    volume.write({"BOT_TOKEN": TUESDAY, "AUTH_SECRET": MONDAY[::-1]})
    pod.wait_state_event("takes", "ready", after=before)
    pod.wait_state_event("is_bound", "ready", after=before)
    for command in (["secrets"], ["status", "--json"], ["events"], ["why"]):
        pod.ctl(*command)
    for value in (MONDAY, TUESDAY):
        assert unlocked_places_of(value, pod.pid1) == []
