"""The life of one turn: input, output, every way to end, and what is left behind: nothing."""
import hashlib
import json
import signal

import pytest
from agents import DOCKER, IMAGE, wait_for

BOTH = pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
WAITS = "import sys, time\nsys.stdin.read()\nprint('[ant] up', file=sys.stderr, flush=True)\ntime.sleep(60)"
QUICK = {"ARIZUKO_AGENTS": json.dumps({"schedule_within_seconds": 1, "pull_within_seconds": 1})}
PS = ["ps", "--filter=name=arizuko-Andy-", "--format", "{{.Names}}", f"--filter=ancestor={IMAGE}"]


@BOTH
def test_a_large_request_and_a_large_answer_arrive_whole(make_bench, protocol):
    bench = make_bench(code="import sys, hashlib\ndata = sys.stdin.buffer.read()\n"
                            "print(len(data), hashlib.sha256(data).hexdigest(), file=sys.stderr, flush=True)\n"
                            "sys.stdout.buffer.write(data * 3)")
    bench.server.protocols = (protocol,)
    bench.server.attach_faults["pieces"] = 3  # messages come in several frames
    request = '{"prompt":"' + "x" * 1_000_000 + '"}'
    done = bench.run(request=request)
    # In the log, which has both streams in one, this line may lie in the middle of the other stream's: then that line is
    # not known again, and stands behind it.
    assert done.stderr.startswith(f"{len(request)} {hashlib.sha256(request.encode()).hexdigest()}\n")
    assert done.stdout == request * 3 and done.returncode == 0


@BOTH
def test_the_end_of_input_reaches_the_agent_while_its_output_stays_open(make_bench, protocol):
    bench = make_bench(code="import sys, time\nsys.stdin.read()\nfor n in range(3):\n"
                            "    print('[ant]', n, file=sys.stderr, flush=True)\n    time.sleep(0.1)")
    bench.server.protocols = (protocol,)
    done = bench.run(request="")
    assert (done.returncode, done.stderr) == (0, "[ant] 0\n[ant] 1\n[ant] 2\n")


def test_input_that_comes_in_pieces_is_handed_on_as_it_comes(make_bench):
    bench = make_bench(code="import sys\nfor line in sys.stdin: print('[ant] ' + line, end='', file=sys.stderr, flush=True)")
    agent = bench.start(request=None)
    for word in ("one", "two"):
        agent.stdin.write(word + "\n")
        agent.stdin.flush()
        assert agent.stderr.readline() == f"[ant] {word}\n"
    agent.stdin.close()
    agent.stdin = None
    assert agent.wait(10) == 0


@pytest.mark.parametrize("code", [0, 4])
def test_no_output_is_lost_when_the_agent_ends_before_anybody_listens(make_bench, code):
    bench = make_bench(code=f"import sys\nprint('[ant] gone', file=sys.stderr, flush=True)\nsys.exit({code})")
    bench.server.faults.add("status", "/attach", times=1, status=500)  # so that it surely has ended
    done = bench.run()
    assert (done.returncode, done.stderr) == (code, "[ant] gone\n")


def test_output_from_before_the_connection_comes_once_and_in_order(make_bench):
    bench = make_bench(code="import sys\nprint('[ant] early', file=sys.stderr, flush=True)\nsys.stdin.read()\n"
                            "print('[ant] late', file=sys.stderr, flush=True)")
    rule = bench.server.faults.add("status", "/attach", times=2, status=400)
    done = bench.run()
    assert rule.met == 2 and done.returncode == 0
    assert sorted(done.stderr.splitlines()) == ["[ant] early", "[ant] late"]


def test_a_cut_connection_is_made_anew_and_what_came_meanwhile_is_in_the_log(make_bench):
    bench = make_bench(code="import sys, time, pathlib, os\nsys.stdin.read()\n"
                            "print('[ant] one', file=sys.stderr, flush=True)\n"
                            "go = pathlib.Path(os.environ['AGENT_ROOT'], 'home/node/go')\n"
                            "while not go.exists(): time.sleep(0.01)\n"
                            "print('[ant] two', file=sys.stderr, flush=True)\n"
                            "while not go.with_name('end').exists(): time.sleep(0.01)\n"
                            "print('[ant] three', file=sys.stderr, flush=True)\nsys.exit(6)")
    agent = bench.start()
    assert agent.stderr.readline() == "[ant] one\n"
    hold = bench.server.faults.add("status", "/attach", times=3, status=503)
    bench.server.attach_faults["cut"] = True
    wait_for("the first try to come back", lambda: hold.met > 0)
    (bench.data / "groups/main/go").touch()
    wait_for("a second connection", lambda: len(bench.server.asked("GET", "/attach")) >= 5)
    (bench.data / "groups/main/end").touch()
    assert agent.wait(20) == 6
    assert sorted(agent.stderr.read().splitlines()) == ["[ant] three", "[ant] two"]
    assert "stdin" not in bench.server.asked("GET", "/attach")[-1][2]  # the request is not sent a second time


def test_a_ping_between_the_pieces_is_answered_with_its_own_bytes(make_bench):
    bench = make_bench(code=WAITS)
    agent = bench.start()
    agent.stderr.readline()
    bench.server.attach_faults["ping"] = b"still there?"
    wait_for("its answer", lambda: bench.server.attach_faults.get("pongs") == [b"still there?"])
    agent.send_signal(signal.SIGTERM)
    agent.wait(20)


def test_a_server_that_breaks_the_rules_of_web_sockets_is_attached_to_anew(make_bench):
    bench = make_bench(code=WAITS)
    agent = bench.start()
    agent.stderr.readline()
    bench.server.attach_faults["broken_frame"] = True
    wait_for("a second connection", lambda: len(bench.server.asked("GET", "/attach")) == 2)
    assert agent.poll() is None
    agent.send_signal(signal.SIGTERM)
    agent.wait(20)


def test_a_turn_whose_request_could_not_be_handed_over_whole_fails(make_bench):
    bench = make_bench(code=WAITS)
    bench.server.attach_faults["cut_after_input"] = 100_000
    # More than the buffers of both sockets hold (tcp_wmem and tcp_rmem have 4 and 6 MB at most by default).
    done = bench.run(request="x" * 20_000_000)
    assert done.returncode == 125 and "broke before it had all of its input" in done.stderr
    wait_for("its Job is gone", lambda: not bench.jobs())


def test_when_the_log_is_forbidden_the_end_of_it_comes_from_the_pods_status(make_bench):
    bench = make_bench(code="import sys\nprint('[ant] why', file=sys.stderr, flush=True)\nsys.exit(2)")
    bench.server.faults.add("status", "/attach", times=1, status=500)
    bench.server.role["pods/log"] = set()
    done = bench.run()
    assert done.returncode == 2 and "[ant] why" in done.stderr and "part of the agent's output is lost" in done.stderr


def test_a_caller_who_no_longer_reads_does_not_stop_the_agent(make_bench):
    bench = make_bench(code="import sys, time\nsys.stdin.read()\nfor n in range(50):\n"
                            "    print('x' * 4000, flush=True)\n    print('[ant]', n, file=sys.stderr, flush=True)\n"
                            "sys.exit(9)")
    agent = bench.start()
    agent.stdout.close()
    agent.stderr.close()
    assert agent.wait(20) == 9


# -- Ends that the agent did not choose -----------------------------------------------------------------------

@pytest.mark.parametrize("trouble, part", [
    ("unschedulable", "could not be scheduled on node node-1 within 1 s: Unschedulable: 0/1 nodes are available"),
    ("pull-fails", "cannot be pulled: ImagePullBackOff: Back-off pulling image"),
    ("pull-hangs", "did not start within 1 s"),
    ("invalid-name", "cannot be used: InvalidImageName"),
    ("config-error", 'cannot be started: CreateContainerConfigError: secret "tokens" not found'),
    ("no-pod", "no pod was made for Job arizuko-andy-main-1"),
])
def test_a_turn_that_cannot_start_ends_within_its_bound_and_says_why(bench, trouble, part):
    bench.cluster.troubles[IMAGE] = trouble
    done = bench.run(env=QUICK, timeout=20)
    assert done.returncode == 125 and done.stdout == ""
    assert part in done.stderr and done.stderr.startswith("docker: ")
    wait_for("its Job is gone", lambda: not bench.jobs())


@pytest.mark.parametrize("trouble, code, part", [
    ("evicted-at-start", 137, "docker: the agent was evicted from its node: The node was low on resource: memory."),
    ("start-error", 128, "docker: the agent's container could not be run: exec:"),
])
def test_an_end_before_the_start_is_told_apart(bench, trouble, code, part):
    bench.cluster.troubles[IMAGE] = trouble
    done = bench.run()
    assert done.returncode == code and part in done.stderr


@pytest.mark.parametrize("end, part", [
    ("evict", "the agent was evicted from its node: The node was low on resource: memory."),
    ("oom_kill", "used more memory than its limit (OOMKilled)"),
])
def test_an_eviction_and_an_oom_kill_are_told_apart(make_bench, end, part):
    bench = make_bench(code=WAITS)
    agent = bench.start()
    agent.stderr.readline()
    getattr(bench.cluster, end)(bench.pod()["metadata"]["name"])
    assert agent.wait(10) == 137
    assert part in agent.stderr.read()


def test_the_deadline_of_the_job_ends_a_turn_that_nobody_ended(make_bench):
    bench = make_bench(code=WAITS)
    agent = bench.start()
    agent.stderr.readline()
    job = bench.jobs()[0]
    bench.cluster._deadline(job)
    assert agent.wait(15) == 143
    assert "ended by the deadline of its Job" in agent.stderr.read()


def test_a_pod_that_somebody_deletes_ends_the_turn(make_bench):
    bench = make_bench(code=WAITS)
    agent = bench.start()
    agent.stderr.readline()
    bench.cluster.stop_pod(bench.pod()["metadata"]["name"])
    assert agent.wait(10) == 143
    wait_for("its Job is gone", lambda: not bench.jobs())


# -- Signals and what is left behind --------------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_command_stops_the_agent_and_still_brings_its_exit_code(make_bench, number):
    bench = make_bench(code="import signal, sys, time\nsys.stdin.read()\n"
                            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
                            "print('[ant] up', file=sys.stderr, flush=True)\ntime.sleep(60)")
    agent = bench.start()
    agent.stderr.readline()
    agent.send_signal(number)
    assert agent.wait(10) == 5
    assert bench.jobs() == []
    wait_for("its pod is gone", lambda: len(bench.cluster.store.items["pods"]) == 1)


def test_a_signal_before_the_agent_runs_ends_the_command_too(bench):
    bench.cluster.troubles[IMAGE] = "pull-hangs"
    agent = bench.start()
    bench.pod("Pending")
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(10) == 137 and bench.jobs() == []


def test_after_sigkill_of_the_command_the_next_boot_finds_and_ends_the_orphan(make_bench):
    bench = make_bench(code=WAITS)
    agents = [bench.start(f"arizuko-Andy-main-{number}") for number in range(3)]
    for agent in agents:
        agent.stderr.readline()
        agent.kill()
        agent.wait()
    names = bench.command(*PS).stdout.split()
    assert len(names) == 3
    for name in names:
        assert bench.command("stop", name).stdout == name + "\n"
    assert bench.command(*PS).stdout == "" and len(bench.cluster.store.items["pods"]) == 1


def test_with_arizukos_pod_its_agents_go_too(make_bench):
    bench = make_bench(code=WAITS)
    agent = bench.start()
    agent.stderr.readline()
    bench.cluster.delete_own_pod()
    wait_for("no pod is left", lambda: not bench.cluster.store.items["pods"])
    assert bench.jobs() == [] and agent.wait(10) == 143


def test_a_job_that_nobody_deletes_deletes_itself(bench):
    bench.run()
    job = json.loads(bench.server.asked("POST", "/jobs$")[0][3])
    assert job["spec"]["ttlSecondsAfterFinished"] == 300


def test_fifty_turns_at_once(make_bench):
    bench = make_bench()
    agents = {name: bench.start(name, request=json.dumps({"prompt": name, "exit": number % 7}))
              for number, name in enumerate(f"arizuko-Andy-group{number}-{1700000000000 + number}" for number in range(50))}
    for number, (name, agent) in enumerate(agents.items()):
        out, err = agent.communicate(timeout=120)
        assert (agent.returncode, out, err) == (number % 7, f"out {name}\n", f"[ant] {name}\n")
    assert bench.jobs() == []


# -- Numbers --------------------------------------------------------------------------------------------------

def test_the_binary_is_static_and_has_at_most_6_3_MB():
    assert DOCKER.stat().st_size <= 6_300_000
    assert b"ld-linux" not in DOCKER.read_bytes()[:4096]


def test_a_waiting_turn_holds_at_most_6_MB(make_bench):
    bench = make_bench(code=WAITS)
    agent = bench.start()
    agent.stderr.readline()

    def resident_kib():
        with open(f"/proc/{agent.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    wait_for("at most 6 MB", lambda: resident_kib() * 1024 <= 6_000_000, 5)
