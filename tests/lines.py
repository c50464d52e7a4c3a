"""The two arizukos that one binary runs, as data: what their stock plans have alike is tried for both by one test."""
import json
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ADAPTERS = ("teled", "discd", "slakd", "emaid", "mastd", "bskyd", "reditd", "linkd")


@dataclass(frozen=True)
class Line:
    """One line of arizuko, as its stock plan shows it in a rehearsal without any token."""
    name: str
    plan: Path
    gate: str            # the router: holds the registry of channels, which its restart empties
    first: tuple         # what comes up one by one, the gate last
    together: tuple      # what then starts side by side, one set behind the other
    stops_before: tuple  # pairs: the first has ended before the second ends
    database: str        # where messages are
    databases: tuple     # what the seed makes
    hangs_on: str        # the condition of a gate that hangs at boot
    ready_when: tuple    # what the pod's readiness asks for
    guarded: str         # the key that is never changed unasked
    guards: tuple        # who takes it
    secrets: dict        # of a mounted Secret with two adapters

    @property
    def daemons(self):
        """What the tests of the daemons' environment look at."""
        return (*self.first[1:], "timed", "dashd", "proxyd", "webd", "teled", "slakd")

    @property
    def core(self):
        """All that is up behind the gate."""
        return tuple(each for group in self.together for each in group)

    @property
    def registrants(self):
        """Who registers with the gate, or is forgotten by it otherwise: bound to it."""
        return (*ADAPTERS, "webd", "onbod")

    @property
    def bound(self):
        """Those of them that a rehearsal without tokens runs."""
        return {each for each in self.core if each in self.registrants}

    def bearer(self, pod):
        """What opens the gate's doors."""
        if self is GATED:
            return {"Authorization": f"Bearer {pod.environ('gated')['CHANNEL_SECRET']}"}
        wanted = {"principal": "service:timed", "key": pod.environ("timed")["AUTHD_SERVICE_KEY"]}
        status, text = pod.post("/v1/service/token", wanted, 9100)
        assert status == 200, (status, text)
        return {"Authorization": f"Bearer {json.loads(text)['token']}"}

    def channels(self, pod):
        """Whom the gate knows."""
        status, text = pod.get("/v1/channels", 9080, headers=self.bearer(pod))
        assert status == 200, (status, text)
        return {each["name"] for each in json.loads(text)["channels"]}


TOKENS = {"SLACK_BOT_TOKEN": "slack-one", "SLACK_SIGNING_SECRET": "signing-one", "TELEGRAM_BOT_TOKEN": "telegram-one",
          "AUTH_BASE_URL": "https://chat.example"}

GATED = Line(
    name="gated", plan=ROOT / "etc" / "arizuko.toml", gate="gated",
    first=("seed", "gated"), together=(("timed", "dashd", "proxyd", "webd", "teled", "slakd"), ("onbod",)),
    stops_before=(("onbod", "teled"), ("onbod", "webd"), ("onbod", "slakd"), ("onbod", "gated"), ("timed", "gated"),
                  ("dashd", "gated"), ("proxyd", "gated"), ("teled", "gated"), ("webd", "gated"), ("slakd", "gated")),
    database="store/messages.db", databases=("store/messages.db",), hangs_on="arizuko running", ready_when=("gated", "proxyd"),
    guarded="AUTH_SECRET", guards=("gated", "webd", "proxyd", "onbod"),
    secrets={"CHANNEL_SECRET": "channel-one", "AUTH_SECRET": "auth-one", "PROXYD_HMAC_SECRET": "hmac-one", **TOKENS})

TODAY = Line(
    name="routd", plan=ROOT / "etc" / "arizuko-routd.toml", gate="routd",
    first=("seed", "authd", "runed", "routd"),
    together=(("timed", "dashd", "proxyd", "webd", "onbod"), ("teled", "slakd")),
    stops_before=(("teled", "onbod"), ("slakd", "onbod"), ("onbod", "routd"), ("timed", "routd"), ("dashd", "routd"),
                  ("proxyd", "routd"), ("webd", "routd"), ("routd", "runed"), ("runed", "authd")),
    database="store/routd/routd.db",
    databases=("store/authd/auth.db", "store/routd/routd.db", "store/runed/runed.db", "store/onbod/onbod.db"),
    hangs_on="/health", ready_when=("authd", "routd", "runed", "proxyd"), guarded="SECRETS_KEY", guards=("routd", "runed", "dashd"),
    secrets={"SECRETS_KEY": "auth-one", **TOKENS,
             **{f"AUTHD_KEY_{each.upper()}": f"key-of-{each}" for each in (
                 "routd", "runed", "timed", "onbod", "dashd", "proxyd", "webd", "teled", "slakd", "discd")}})

LINES = (GATED, TODAY)
