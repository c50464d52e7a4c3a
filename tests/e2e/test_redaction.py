"""Secret values that a daemon itself prints, in whatever form and piece by piece, reach nobody: neither the log, nor the
history, nor any answer. What is no secret stays readable."""
import base64
import json
import urllib.parse

import pytest

from kubelet import Volume
from pod import own_plan, wait_for

MONDAY = 'xoxb-7/Kq?9>2m&"Zp~T\\4w-monday'
TUESDAY = "xoxb-Rb8sLd3vYn6c-tuesday"
SHOWN = "shown-by-the-plan-x7Kq92mZpT4w"
KEY_LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"
KEY = f"-----BEGIN PRIVATE KEY-----\n{KEY_LINE}\n-----END PRIVATE KEY-----\n"

PLAN = '''[env]
sources = ["environment", "dir:{out}/secrets"]
[service.prints]
command = ["{bin}/prints"]
take = ["BOT_TOKEN", "TLS", "MODE", "PORT"]
env = { STATE = "{data}/state" }
essential = true
restart.when = "never"
[service.waits]
command = ["sleep", "1000"]
[service.waits.ready]
file = "/nowhere/{shown}"
'''

# Prints its token in every form, and the one of its last run; the second run ends with it as its last words.
PRINTS = r'''#!/usr/bin/python3
import base64, json, os, sys, time, urllib.parse

def forms(token):
    go = json.dumps(token)[1:-1].replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    yield "plain", token
    yield "json", json.dumps({"token": token})[1:-1]
    yield "go", go
    yield "every-character", "".join("\\u%04X" % ord(c) for c in token)
    yield "url", urllib.parse.quote(token, safe="")
    yield "small-url", urllib.parse.quote(token, safe="").lower() if "%" in urllib.parse.quote(token) else "none"
    yield "base64", base64.b64encode(token.encode()).decode()
    yield "base64url", base64.urlsafe_b64encode(token.encode()).decode()
    for user in ("u:", "us:", "use:"):
        yield "basic", base64.b64encode((user + token + "@host").encode()).decode()
    yield "hex", token.encode().hex()

state = os.environ["STATE"]
former = open(state).read() if os.path.exists(state) else ""
open(state, "w").write(os.environ["BOT_TOKEN"])
for token in filter(None, (os.environ["BOT_TOKEN"], former)):
    for name, form in forms(token):
        os.write(1, f"form {name} <{form}> end\n".encode())
        os.write(2, (json.dumps({"level": "ERROR", "msg": name, "err": form}) + "\n").encode())
    half = len(token) // 2
    for piece in ("split <", token[:half], token[half:], "> end\n"):
        os.write(1, piece.encode())
        time.sleep(0.05)
    for shift in (4, half, len(token) - 1):
        os.write(1, b"long " + b"." * (65536 - 5 - shift) + token.encode() + b"." * 100_000 + b"\n")
os.write(1, os.environ["TLS"].encode())
os.write(1, f"mode {os.environ['MODE']} port {os.environ['PORT']}\n".encode())
os.write(1, b"all printed\n")
if former:
    os.write(2, f"fatal: bad token {former}, not {os.environ['BOT_TOKEN']}\n".encode())
    sys.exit(3)
time.sleep(1000)
'''


def forms_of(token):
    """What must be found nowhere: more than half of a token gives it away, in whatever form."""
    encodings = [token, urllib.parse.quote(token, safe=""), json.dumps(token)[1:-1], token.encode().hex(),
                 base64.b64encode(token.encode()).decode(), base64.urlsafe_b64encode(token.encode()).decode()]
    encodings += [base64.b64encode(b" " * n + token.encode()).decode()[4:] for n in (1, 2)]
    for text in encodings:
        half = len(text) // 2
        yield from (text[:half], text[half:], text[half // 2:half // 2 + half])


def everything_shown(pod):
    commands = [("status",), ("status", "--json"), ("why",), ("why", "prints"), ("why", "waits"), ("why", "--json"),
                ("events",), ("events", "--json"), ("logs", "--lines", "100000"), ("logs", "--json", "--lines", "100000")]
    shown = [done.stdout + done.stderr for words in commands for done in [pod.ctl(*words)]]
    shown += [pod.get(path)[1] for path in ("/livez", "/readyz", "/startupz", "/health", "/metrics")]
    return shown + [pod.get("/", 9091)[1], pod.termination_log.read_text(), pod.logged(), pod.errors()]


@pytest.mark.parametrize("log", ["json", "console"])
def test_a_token_and_a_former_one_are_shown_nowhere_in_any_form(a_pod, log):
    pod = own_plan(a_pod, PLAN, log=log, env={"MODE": "production", "PORT": "8080", "SHOWN_TOKEN": SHOWN})
    pod.write_plan(pod.plan.read_text().replace("{out}", str(pod.out)).replace("{shown}", SHOWN))
    pod.program("prints", PRINTS)
    secret = Volume(pod.out / "secrets", {"BOT_TOKEN": MONDAY, "TLS": KEY})
    pod.start()
    pod.wait_logged("all printed")
    shown = everything_shown(pod)
    secret.write({"BOT_TOKEN": TUESDAY, "TLS": KEY})
    pod.wait_logged("fatal: bad token")
    assert pod.wait_exit() == 75
    log_text = pod.logged()
    shown += [log_text, pod.errors(), pod.termination_log.read_text()]
    assert "1 changed (BOT_TOKEN)" in log_text
    text = "\n".join(shown)
    leaked = [form for token in (MONDAY, TUESDAY, SHOWN) for form in forms_of(token) if form in text]
    assert leaked == []
    assert KEY_LINE not in text and "-----BEGIN PRIVATE KEY-----" in text
    # Everything was printed, by the first run, the one with the new token and the one after the way back.
    marker = "[redacted:BOT_TOKEN]"
    for name in ("plain", "go", "every-character", "url", "base64", "base64url", "hex"):
        assert log_text.count(f"form {name} <{marker}") >= 3, name
    assert log_text.count(f"split <{marker}> end") >= 3
    assert log_text.count(f"...{marker}") >= 9, "cut lines end where the secret began"
    assert "mode production port 8080" in log_text
    assert f"fatal: bad token {marker}, not {marker}" in json.dumps(pod.termination()["last_lines"])
    assert f"[redacted:SHOWN_TOKEN]" in text


def test_redactions_are_counted_and_lines_without_a_secret_are_left_alone(a_pod):
    pod = own_plan(a_pod, '''[service.prints]
command = ["{bin}/prints"]
take = ["BOT_TOKEN", "API_KEY"]
[service.stays]
command = ["sleep", "1000"]
''', env={"BOT_TOKEN": TUESDAY, "API_KEY": "short", "FOREIGN_KEY": "short"})
    pod.program("prints", '#!/bin/sh\necho "one $BOT_TOKEN two $BOT_TOKEN"\necho \'{"msg":"a \\u0041 %20"}\'\nexec sleep 1000\n')
    pod.start().wait_service("prints", "ready")
    pod.wait_logged('"msg":"a \\u0041 %20"')
    assert wait_for("the count", lambda: pod.metric("arizuko_init_redactions_total")) == 2
    warning = json.loads(pod.wait_logged("shorter than 8 bytes"))
    assert warning["level"] == "WARN" and warning["msg"].endswith(": API_KEY")


def test_a_refused_token_of_the_stock_plans_teled_is_not_in_its_log(a_pod):
    """As Go's url.Error does, its log line holds the token (T28)."""
    token = "4711:AAF4xkTq1ZsXy7w0bLmNpQrStUvWxYz0123"
    pod = a_pod(start=False, env={"TELEGRAM_BOT_TOKEN": token})
    pod.fault("teled", f"refuse TELEGRAM_BOT_TOKEN {token}")
    pod.start().wait_service("teled", "backoff")
    line = pod.wait_logged("[redacted:TELEGRAM_BOT_TOKEN]")
    assert json.loads(line)["service"] == "teled"
    assert token not in "\n".join(everything_shown(pod)[:-2] + [pod.logged()])
