"""A stand-in for the arizuko image, of the gated line or today's, laid out as the real one: every daemon in
/usr/local/bin, skills in /opt/arizuko, root as user, a health check of port 8080. Nothing else: no shell, no package
manager, no C library; `musl` adds musl's, and makes the three programs that need it there (arizuko, gated, timed)
need it here, too."""
import shutil
import subprocess
from pathlib import Path

from pod import REHEARSAL

DAEMONS = ["arizuko", "gated", "timed", "teled", "discd", "onbod", "dashd", "proxyd", "webd", "linkd", "slakd", "emaid",
           "bskyd", "mastd", "reditd"]
TODAYS = ["authd", "runed", "routd", *(each for each in DAEMONS if each != "gated")]
LINKED_TO_MUSL = ["arizuko", "gated", "timed"]
LOADER = Path("/lib/ld-musl-x86_64.so.1")

DOCKERFILE = """\
FROM scratch
COPY tree /
WORKDIR /srv/app/home
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
HEALTHCHECK CMD wget -q --spider http://127.0.0.1:8080/health || exit 1
"""
# Becomes the stand-in under its own name.
LAUNCHER = """\
#include <unistd.h>
int main(int argc, char** argv) {
  (void)argc;
  execv("/usr/local/libexec/arizuko-rehearsal", argv);
  return 127;
}
"""


def add_musl(tree, scratch):
    source = scratch / "launcher.c"
    source.write_text(LAUNCHER)
    launcher = scratch / "launcher"
    subprocess.run(["musl-gcc", "-O1", "-o", launcher, source], check=True)
    (tree / "lib").mkdir()
    shutil.copy(LOADER.resolve(), tree / "lib" / LOADER.name)
    for name in LINKED_TO_MUSL:
        program = tree / "usr/local/bin" / name
        program.unlink()
        shutil.copy(launcher, program)


def build(engine, scratch, libc, daemons=DAEMONS):
    """The tag of a stand-in with `libc`: "none" or "musl"."""
    tree = scratch / "tree"
    programs, skills = tree / "usr/local/bin", tree / "opt/arizuko/ant/skills/hello"
    for directory in (programs, tree / "usr/local/libexec", skills, tree / "opt/arizuko/template/services"):
        directory.mkdir(parents=True)
    shutil.copy(REHEARSAL, tree / "usr/local/libexec/arizuko-rehearsal")
    (skills / "SKILL.md").write_text("# a skill\n")
    (tree / "opt/arizuko/ant/CLAUDE.md").write_text("# the agent\n")
    (tree / "opt/arizuko/template/services/teled.toml").write_text("")
    for name in daemons:
        (programs / name).symlink_to("../libexec/arizuko-rehearsal")
    if libc == "musl":
        add_musl(tree, scratch)
    (scratch / "Dockerfile").write_text(DOCKERFILE)
    tag = f"localhost/arizuko:stand-in-{'gated' if 'gated' in daemons else 'routd'}-{libc}"
    engine.build(tag, context=scratch)
    return tag
