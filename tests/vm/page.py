"""docs/how-to/bare-host.md as what it is used for: commands to type."""
import re

from pod import ROOT

PAGE = ROOT / "docs" / "how-to" / "bare-host.md"


def section(title):
    """What stands below a heading, to the next one."""
    found = re.search(rf"(?ms)^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE.read_text())
    assert found, f"{PAGE.name} has no section {title!r}"
    return found.group(1)


def commands(title):
    """The commands of a section, in order: what is indented, a continued line joined to the one before it."""
    lines = re.findall(r"(?m)^    (\S.*|  \S.*)$", section(title))
    found = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    assert found, f"section {title!r} of {PAGE.name} shows no command"
    return found


def command(title, beginning):
    """The one command of a section that begins so."""
    found = [each for each in commands(title) if each.startswith(beginning)]
    assert len(found) == 1, f"{beginning!r} begins {len(found)} commands of section {title!r}"
    return found[0]


def env_file():
    """The values that the page shows, as lines."""
    return re.search(r"(?ms)^```sh\n(.*?)^```", section("The values")).group(1).splitlines()
