"""Trouble on demand: rules that a request may meet, each for a number of times."""
import re
import threading
from dataclasses import dataclass, field


@dataclass
class Rule:
    """What happens to the next `times` requests of `method` whose path matches `path`.

    kinds: "status" (answer with `status`), "reset" (TCP reset before anything is done), "lost-answer" (done, then
    reset), "hang" (no answer for `seconds`), "slow" (the answer a few bytes at a time)."""
    kind: str
    path: str = ".*"
    method: str = ".*"
    times: int = 1
    status: int = 500
    retry_after: int | None = None
    seconds: float = 1
    met: int = field(default=0, compare=False)


class Faults:
    def __init__(self):
        self.lock = threading.Lock()
        self.rules = []

    def add(self, kind, path=".*", **more):
        rule = Rule(kind, path, **more)
        with self.lock:
            self.rules.append(rule)
        return rule

    def meet(self, method, path):
        with self.lock:
            for rule in self.rules:
                if rule.met < rule.times and re.search(rule.path, path) and re.fullmatch(rule.method, method):
                    rule.met += 1
                    return rule
        return None
