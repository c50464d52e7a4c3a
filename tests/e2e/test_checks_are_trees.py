"""An exec condition is a tree of processes: nothing that a look starts outlives it, and nothing grows."""
from pod import own_plan, wait_for


def pod_with(a_pod, script, timeout="5s"):
    pod = own_plan(a_pod, f"""
[service.a]
command = ["sleep", "1000"]
ready = {{ exec = ["sh", "-c", 'echo x >>{{data}}/looks; {script}'], every = "10ms", timeout = "{timeout}", within = "5m" }}
restart = {{ delay = "10ms", max_delay = "20ms" }}
""")
    return pod.start()


def looks(pod):
    path = pod.data / "looks"
    return path.read_text().count("x") if path.exists() else 0


def of_the_looks(pod):
    """What a look has started, by name."""
    return [name for name in pod.processes().values() if name in ("sleep", "grep", "sh", "setsid")]


def no_growth(pod, most):
    """After 40 looks there is no more than after one."""
    wait_for("40 looks", lambda: looks(pod) >= 40, 60)
    wait_for(f"no more than {most} processes", lambda: len(of_the_looks(pod)) <= most + 1)  # and the service's own


def test_what_a_look_leaves_in_the_background_is_killed_also_after_exit_0(a_pod):
    pod = pod_with(a_pod, "sleep 777 & exit 0")
    no_growth(pod, 3)
    assert pod.service("a")["state"] == "ready"


def test_what_leaves_the_session_of_a_look_is_killed_too(a_pod):
    pod = pod_with(a_pod, "setsid -f env -i /bin/sleep 777; setsid -f sh -c \"sleep 777 & sleep 777\"; exit 0")
    no_growth(pod, 8)
    assert pod.service("a")["state"] == "ready"


def test_a_pipeline_that_hangs_is_killed_as_a_whole_at_its_time_out(a_pod):
    pod = pod_with(a_pod, "sleep 777 | grep -q ok", timeout="30ms")
    no_growth(pod, 4)
    assert any("killed after 30 ms" in each for each in pod.service("a")["waiting_for"])


def test_a_run_that_ends_takes_the_look_that_is_under_way_along(a_pod):
    pod = pod_with(a_pod, "sleep 777 & setsid -f sleep 777; sleep 777", timeout="10m")
    wait_for("a look under way", lambda: looks(pod) == 1 and len(of_the_looks(pod)) >= 5)
    seq = pod.last_seq()
    pod.kill("a")
    pod.wait_event(lambda e: e["service"] == "a" and e["event"] == "spawned", "the next run", after=seq)
    wait_for("its look", lambda: looks(pod) == 2)
    wait_for("one look at a time", lambda: len(of_the_looks(pod)) <= 6)
