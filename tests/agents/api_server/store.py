"""Objects with resourceVersions, and watches over them."""
import copy
import threading
import time
import uuid


class Gone(Exception):
    """The version asked for is older than what is remembered: 410."""


class Exists(Exception):
    """There is an object of that name: 409."""


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def matches(item, selector):
    """`selector`: {"label": {..}, "field": {..}}; fields are metadata.name alone."""
    labels = item["metadata"].get("labels", {})
    if any(labels.get(key) != value for key, value in selector.get("label", {}).items()):
        return False
    wanted = selector.get("field", {}).get("metadata.name")
    return wanted is None or item["metadata"]["name"] == wanted


class Store:
    """One lock for everything; `changed` is notified at each change."""

    def __init__(self):
        self.changed = threading.Condition(threading.RLock())
        self.version = 100
        self.oldest = 100  # watches from before it get 410
        self.items = {"pods": {}, "jobs": {}}
        self.history = []  # (version, kind, type, object)

    def _note(self, kind, event, item):
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        self.history.append((self.version, kind, event, copy.deepcopy(item)))
        self.changed.notify_all()

    def add(self, kind, item):
        with self.changed:
            name = item["metadata"]["name"]
            if name in self.items[kind]:
                raise Exists(name)
            item["metadata"].setdefault("uid", str(uuid.uuid4()))
            item["metadata"]["creationTimestamp"] = now()
            self.items[kind][name] = item
            self._note(kind, "ADDED", item)
            return copy.deepcopy(item)

    def change(self, kind, name, alter):
        """`alter` gets the object and changes it; nothing happens when it is gone."""
        with self.changed:
            item = self.items[kind].get(name)
            if item is None:
                return None
            alter(item)
            self._note(kind, "MODIFIED", item)
            return copy.deepcopy(item)

    def remove(self, kind, name):
        with self.changed:
            item = self.items[kind].pop(name, None)
            if item is not None:
                self._note(kind, "DELETED", item)
            return item

    def get(self, kind, name):
        with self.changed:
            return copy.deepcopy(self.items[kind].get(name))

    def list(self, kind, selector):
        with self.changed:
            found = [copy.deepcopy(item) for item in self.items[kind].values() if matches(item, selector)]
            return found, str(self.version)

    def forget_history(self):
        """As after etcd's compaction: who resumes from before now gets 410."""
        with self.changed:
            self.history.clear()
            self.oldest = self.version + 1
            self.version += 1

    def events_after(self, version, kind, selector, seconds):
        """(new version, events) once there are any, else ([]) after `seconds`. Raises Gone."""
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                if version < self.oldest:
                    raise Gone
                events = [(event, item) for at, of, event, item in self.history
                          if at > version and of == kind and matches(item, selector)]
                if events:
                    return self.version, events
                left = end - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    return self.version, []
