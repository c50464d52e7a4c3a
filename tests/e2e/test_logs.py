"""What reaches stdout, in which form, and what happens when nobody reads it."""
import json
import os
import re

from pod import own_plan, sets, wait_for


def lines_of(pod, service=None):
    lines = [json.loads(line) for line in pod.logged().splitlines()]
    return [line for line in lines if service in (None, line["service"])]


def test_every_json_line_is_an_object_with_service_and_time(a_pod):
    pod = a_pod().wait_ready()
    pod.kill("teled")
    pod.wait_ready()
    pod.stop()
    lines = pod.logged().splitlines()
    assert len(lines) > 40
    for line in lines:
        entry = json.loads(line)
        assert isinstance(entry, dict) and entry["service"] and entry["time"] and entry["msg"], line
    assert {"arizuko-init", "seed", "gated", "timed", "dashd", "proxyd", "webd", "teled", "slakd"} <= {
        json.loads(line)["service"] for line in lines}


PRINTS = '''[service.prints]
command = ["{bin}/prints"]
restart.when = "never"
restart.verdict = "stay-down"
[service.stays]
command = ["sleep", "1000"]
'''


def printed(a_pod, script, **options):
    pod = own_plan(a_pod, PRINTS, **options)
    pod.program("prints", "#!/bin/sh\n" + script)
    pod.start().wait_service("prints", "failed", "done")
    return pod


def test_a_daemons_json_line_keeps_its_fields_and_text_is_wrapped(a_pod):
    pod = printed(a_pod, r'''printf '{"level":"WARN","msg":"a \\u00e4","n":1.50,"deep":{"x":[1,2]}}\n'
printf 'plain "text" \\ \377\n' >&2
printf '{"service":"its own","msg":"x"}\n'
printf '[1,2]\n'
printf 'no newline at the end'
''')
    raw = [l for l in pod.logged().splitlines() if '"prints"' in l and '"level":"INFO"' not in l]
    assert any('"level":"WARN","msg":"a \\u00e4","n":1.50,"deep":{"x":[1,2]}' in l for l in raw), raw
    lines = [json.loads(l) for l in raw]
    assert {"plain \"text\" \\ \ufffd", "[1,2]", "no newline at the end"} <= {l["msg"] for l in lines}
    assert [l["stream"] for l in lines if l["msg"].startswith("plain")] == ["stderr"]
    its_own = next(l for l in lines if l.get("daemon_service"))
    assert its_own["daemon_service"] == "its own" and its_own["service"] == "prints"
    assert its_own["time"] and its_own["stream"] == "stdout", "it bore none"


def test_a_line_of_10_mib_is_cut_and_marked_and_the_rest_goes_on(a_pod):
    pod = printed(a_pod, "head -c 10485760 /dev/zero | tr '\\0' x\necho\necho after\n")
    lines = lines_of(pod, "prints")
    long = next(l for l in lines if l["msg"].startswith("xxx"))
    assert long["cut"] is True and 1000 < len(long["msg"]) <= 65536
    assert [l["msg"] for l in lines if not l.get("cut")] == ["after"]
    assert pod.metric("arizuko_init_log_lines_cut_total") == 1
    assert pod.get("/livez")[0] == 200


def test_lines_split_over_writes_are_joined(a_pod):
    pod = printed(a_pod, "printf 'one '; sleep 0.1; printf 'two '; sleep 0.1; echo three\n")
    assert [l["msg"] for l in lines_of(pod, "prints")] == ["one two three"]


def test_the_last_words_before_a_crash_are_not_lost(a_pod):
    pod = printed(a_pod, "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; kill -9 $$\n")
    assert [l["msg"] for l in lines_of(pod, "prints")] == [f"line {i}" for i in range(2000)]


def test_console_lines_carry_the_name_and_are_aligned(a_pod):
    pod = a_pod(log="console").wait_ready()
    pod.kill("teled")
    pod.wait_ready()
    lines = [l for l in pod.logged().splitlines() if re.match(r"\d\d:\d\d:\d\d\.\d{3} ", l)]
    assert len({l.index("|") for l in lines}) == 1, "the bars are not below each other"
    assert any(re.match(r"\S+ gated +\| INFO +arizuko running", l) for l in lines), lines[:20]
    assert "\x1b" not in pod.logged(), "colours in a file"
    # The table of everything, once.
    assert pod.logged().count("NAME ") == 1
    pod.stop()
    assert "stopped as asked" in pod.errors()


def test_control_characters_of_a_daemon_do_not_reach_the_console(a_pod):
    pod = own_plan(a_pod, PRINTS, log="console")
    pod.program("prints", "#!/bin/sh\nprintf 'a\\033[2Jb\\n'\n")
    pod.start().wait_service("prints", "failed", "done")
    assert "\x1b" not in pod.logged() and "a\\x1B[2Jb" in pod.logged().replace("\\x1b", "\\x1B")


def stalled(a_pod, **options):
    """A pod whose stdout is a pipe that nobody reads; its read end."""
    reader, writer = os.pipe()
    try:
        return a_pod(stdout=writer, **options), reader
    finally:
        os.close(writer)


def test_a_stdout_that_stalls_stops_nobody_and_what_is_lost_is_counted_and_said(a_pod):
    pod, reader = stalled(a_pod)
    pod.wait_ready()
    pod.fault_now(9001, "flood 20000 200")
    wait_for("lines to be dropped", lambda: pod.metric("arizuko_init_log_lines_dropped_total"))
    wait_for("the flood to be taken", lambda: pod.metric("arizuko_init_log_lines_total") >= 20000)
    for path in ("/livez", "/readyz", "/startupz"):
        assert pod.get(path, timeout=2)[0] == 200
    # Restarts go on, too.
    seq = pod.last_seq()
    pod.kill("gated")
    pod.wait_state_event("teled", "ready", seq)
    dropped = pod.metric("arizuko_init_log_lines_dropped_total")
    assert 1000 < dropped < 21000
    # Somebody reads again: whole lines, and the number of those that are missing.
    os.set_blocking(reader, False)
    text = b""

    def read():
        nonlocal text
        try:
            while piece := os.read(reader, 1 << 20):
                text += piece
        except BlockingIOError:
            pass
        return re.search(rb'"(\d+) log lines \([^)]*\) were dropped: stdout did not take them"', text)

    said = wait_for("the loss to be said", read)
    assert int(said[1]) >= dropped
    for line in text.decode().splitlines():
        json.loads(line)
    os.close(reader)


def test_a_stdout_that_is_closed_ends_nobody(a_pod):
    pod, reader = stalled(a_pod)
    os.close(reader)
    pod.wait_ready()
    pod.fault_now(9001, "flood 1000 200")
    wait_for("the flood to be taken", lambda: pod.metric("arizuko_init_log_lines_total") >= 1000)
    assert pod.ctl("status").returncode == 0
    assert pod.stop() == 0


def test_the_end_of_the_run_does_not_wait_for_a_stalled_stdout(a_pod):
    pod, reader = stalled(a_pod)
    pod.wait_ready()
    pod.fault_now(9001, "flood 20000 200")
    wait_for("lines to be dropped", lambda: pod.metric("arizuko_init_log_lines_dropped_total"))
    assert pod.stop(10) == 0
    os.close(reader)


def test_lines_of_the_plans_drop_list_are_not_passed_on(a_pod):
    pod = own_plan(a_pod, PRINTS.replace('["{bin}/prints"]', '["{bin}/prints"]\ndrop = ["noise"]', 1))
    pod.program("prints", "#!/bin/sh\necho keep 1\necho some noise here\necho keep 2\n")
    pod.start().wait_service("prints", "failed", "done")
    assert [l["msg"] for l in lines_of(pod, "prints")] == ["keep 1", "keep 2"]


def test_a_flood_of_one_service_does_not_starve_the_probes(a_pod):
    pod = a_pod(options=sets(pod__log="json")).wait_ready()
    pod.fault_now(9001, "flood 100000 200")
    while pod.metric("arizuko_init_log_lines_total") < 100000:
        assert pod.get("/livez", timeout=1)[0] == 200, "the kubelet's one second is over"
    assert pod.ctl("status").returncode == 0
    wait_for("every line", lambda: pod.logged().count('"teled"') >= 100000)


def test_the_reason_of_a_failure_has_the_daemons_own_last_words(a_pod):
    pod = printed(a_pod, r'''echo "an earlier word"
printf '{"time":"t","level":"ERROR","msg":"login refused","status":401}\n' >&2
exit 3
''')
    words = "it exited with code 3, its last words: ERROR login refused status=401"
    assert pod.service("prints")["cause"].startswith(words)
    for command in (["why", "prints"], ["status"], ["events"]):
        assert words in pod.ctl(*command).stdout, command


def test_the_last_words_of_an_earlier_run_are_not_those_of_this_one(a_pod):
    pod = own_plan(a_pod, PRINTS.replace('restart.when = "never"\n', 'restart.delay = "0s"\nrestart.budget = 2\n'))
    pod.program("prints", "#!/bin/sh\n[ -e ran ] || echo 'only once'\n: >ran\nexit 3\n")
    pod.start().wait_service("prints", "failed")
    causes = [e["cause"] for e in pod.events() if e["code"] == "ended-badly"]
    assert causes[0].endswith("its last words: only once")
    assert causes[1:] and all("last words" not in cause for cause in causes[1:])


def test_a_line_that_does_not_end_is_shown_after_a_second_and_counts_for_readiness(a_pod):
    pod = own_plan(a_pod, PRINTS.replace('restart.when = "never"', 'restart.when = "never"\nready.log = "passphrase:"'))
    pod.program("prints", "#!/bin/sh\nprintf 'passphrase: '\nexec sleep 1000\n")
    pod.start().wait_service("prints", "ready")
    shown = wait_for("the line", lambda: [l for l in lines_of(pod, "prints") if l["msg"].startswith("passphrase")])
    assert shown[0]["unfinished"] is True
    assert "passphrase:  [unfinished]" in pod.ctl("logs", "prints").stdout


def test_who_is_killed_from_outside_is_not_quoted_and_who_follows_quotes_nobody(a_pod):
    pod = own_plan(a_pod, PRINTS.replace('restart.when = "never"\nrestart.verdict = "stay-down"',
                                         'restart.delay = "0s"\nready.log = "words"')
                   + '[service.follows]\ncommand = ["sleep", "1000"]\nbound_to = ["prints"]\n')
    pod.program("prints", "#!/bin/sh\necho my words\n[ -e once ] || { : >once; sleep 0.2; exit 3; }\nexec sleep 1000\n")
    pod.start().wait_event(lambda e: e["service"] == "prints" and e["code"] == "ended-badly")
    pod.wait_service("follows", "ready")
    before = pod.last_seq()
    pod.kill("prints")
    pod.wait_state_event("follows", "ready", after=before)
    quoting = [e for e in pod.events() if "last words" in e["cause"]]
    assert [e["service"] for e in quoting if e["code"] == "ended-badly"] == ["prints"]
    assert {e["service"] for e in quoting} == {"prints"} and all(e["seq"] <= before for e in quoting)
