"""Writes a Secret or ConfigMap volume in the kubelet's order: new timestamp directory, files, the rename of
..data_tmp to ..data (the switch), links of new keys, links of removed keys, the old directory. The kubelet of 1.20
made the links of new keys before the switch, and set fsGroup's ownership after it."""
import itertools
import os
import shutil

UID = 1000


class Volume:
    def __init__(self, path, values, order="today"):
        self.path = path
        self.order = order
        self.names = (f"..2026_11_22_19_57_{n:02}.{n}" for n in itertools.count())
        path.mkdir(parents=True)
        self.write(values)

    def write(self, values):
        """One update, with these keys and no others."""
        for _ in self.steps(values):
            pass

    def steps(self, values):
        """The same, step by step: a test may stop between any two."""
        data = self.path / "..data"
        old = os.readlink(data) if data.is_symlink() else None
        fresh = self.path / next(self.names)
        fresh.mkdir(0o700)
        yield "directory"
        fresh.chmod(0o755)
        for key, value in values.items():
            (fresh / key).write_text(value)
            (fresh / key).chmod(0o440)
            os.chown(fresh / key, 0, 0 if self.order == "1.20" else UID)
            yield f"file {key}"
        if self.order == "1.20":
            yield from self.link(values)
        temporary = self.path / "..data_tmp"
        temporary.unlink(missing_ok=True)  # of an update that was cut short
        temporary.symlink_to(fresh.name)
        yield "link"
        temporary.rename(data)
        yield "switch"
        if self.order == "1.20":
            for key in values:
                os.chown(fresh / key, 0, UID)
                yield f"owner of {key}"
        yield from self.link(values)
        for entry in list(self.path.iterdir()):
            if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in values:
                entry.unlink()
                yield f"gone {entry.name}"
        if old:
            shutil.rmtree(self.path / old)
            yield "old directory"

    def link(self, values):
        for key in values:
            if not (self.path / key).is_symlink():
                (self.path / key).symlink_to(f"..data/{key}")
                yield f"key {key}"
