"""The API server and the way to it: tokens, certificates, faults, watches."""
import base64
import json

import pytest
import yaml
from agents import ROOT, wait_for
from api_server.server import ROLE

WAITS = "import sys, time\nsys.stdin.read()\nprint('[ant] up', file=sys.stderr, flush=True)\ntime.sleep(60)"
UNTIL = ("import sys, time, pathlib, os\nsys.stdin.read()\nprint('[ant] up', file=sys.stderr, flush=True)\n"
         "go = pathlib.Path(os.environ['AGENT_ROOT'], 'home/node/go')\n"
         "while not go.exists(): time.sleep(0.01)\nsys.exit(8)")


def watches(bench):
    return [request for request in bench.server.asked("GET", "/pods$") if request[2].get("watch")]


@pytest.mark.parametrize("path, method", [("/pods/arizuko-0$", "GET"), ("/jobs\\?", "POST"), ("/pods\\?limit", "GET"),
                                          ("watch=1", "GET"), ("/attach", "GET")])
@pytest.mark.parametrize("fault", [{"kind": "status", "status": 500}, {"kind": "status", "status": 503},
                                   {"kind": "status", "status": 429, "retry_after": 1}, {"kind": "reset"},
                                   {"kind": "status", "status": 401}, {"kind": "slow"}],
                         ids=["500", "503", "429", "reset", "401", "slow"])
def test_a_fault_that_passes_is_not_seen_by_gated(bench, path, method, fault):
    rule = bench.server.faults.add(path=path, method=method, times=1, **fault)
    done = bench.run()
    assert rule.met == 1
    assert (done.returncode, done.stdout, done.stderr) == (0, "out hello\n", "[ant] hello\n")
    assert bench.jobs() == []


def test_retry_after_is_obeyed(bench):
    bench.server.faults.add("status", "/pods/arizuko-0$", status=429, retry_after=2)
    assert bench.run().returncode == 0
    refused, again = [request[5] for request in bench.server.asked("GET", "/pods/arizuko-0$")[:2]]
    assert again - refused >= 2


def test_a_job_whose_answer_was_lost_is_made_once(bench):
    rule = bench.server.faults.add("lost-answer", "/jobs\\?", method="POST")
    done = bench.run()
    assert rule.met == 1 and (done.returncode, done.stdout) == (0, "out hello\n")
    assert len(bench.server.asked("POST", "/jobs$")) == 2 and bench.cluster.serial.__next__() == 2


def test_a_delete_whose_answer_was_lost_succeeds(make_bench):
    bench = make_bench(code=WAITS)
    bench.start().stderr.readline()
    rule = bench.server.faults.add("lost-answer", "/jobs/", method="DELETE")
    done = bench.command("stop", "arizuko-Andy-main-1")
    assert rule.met == 1 and (done.returncode, done.stdout) == (0, "arizuko-Andy-main-1\n") and bench.jobs() == []


@pytest.mark.parametrize("resource", ["jobs", "pods", "pods/attach"])
def test_what_is_forbidden_is_said_at_once_with_what_would_help(bench, resource):
    bench.server.role[resource] = set()
    done = bench.run()
    assert done.returncode == 125 and "403" in done.stderr and "k8s/components/agents-jobs" in done.stderr
    assert "token-1" not in done.stderr
    assert bench.jobs() == [] or resource == "jobs"


def test_a_websocket_needs_get_and_create(bench):
    bench.server.role["pods/attach"] = {"create"}
    assert bench.run().returncode == 125


def test_a_rotated_token_is_used_for_the_next_request(make_bench):
    bench = make_bench(code=UNTIL)
    agent = bench.start()
    agent.stderr.readline()
    bench.server.tokens = {"token-2"}
    bench.server.write_token("token-2")
    bench.server.cut_watches()
    (bench.data / "groups/main/go").touch()
    assert agent.wait(15) == 8 and bench.jobs() == []


def test_a_token_that_is_swapped_a_moment_late_is_waited_for(bench):
    bench.server.tokens = {"token-2"}
    agent = bench.start()
    wait_for("a refused request", lambda: bench.server.asked("GET", "/pods/arizuko-0"))
    bench.server.write_token("token-2")
    assert agent.wait(15) == 0


def test_a_token_that_stays_refused_ends_the_command(bench):
    bench.server.tokens = {"other"}
    done = bench.run()
    assert done.returncode == 125 and "401" in done.stderr and "token-1" not in done.stderr
    assert len(bench.server.requests) == 3


def test_a_server_with_a_certificate_of_another_authority_gets_no_token(bench):
    (bench.server.account / "ca.crt").write_text((bench.server.directory / "other.crt").read_text())
    done = bench.command("info")
    assert done.returncode == 1 and "certificate verify failed" in done.stderr and bench.server.requests == []


def test_a_server_with_a_certificate_for_another_address_gets_no_token(bench):
    done = bench.command("info", env={"KUBERNETES_SERVICE_HOST": "127.0.0.2"})
    assert done.returncode == 1 and bench.server.requests == []


def test_a_server_that_hangs_is_given_up(bench):
    bench.server.faults.add("hang", "/pods/arizuko-0", times=99, seconds=30)
    done = bench.command("info", timeout=10)  # what gated gives it
    assert done.returncode == 1 and "timed out" in done.stderr


# -- Watches --------------------------------------------------------------------------------------------------

def test_a_cut_watch_goes_on_where_it_was(make_bench):
    bench = make_bench(code=UNTIL)
    agent = bench.start()
    agent.stderr.readline()
    for _ in range(3):
        before = len(watches(bench))
        # A watch is asked for a moment before there is a stream that can be cut: hence more than once.
        wait_for("the watch again", lambda: bench.server.cut_watches() or len(watches(bench)) > before, seconds=60, pause=0.1)
    (bench.data / "groups/main/go").touch()
    assert agent.wait(15) == 8
    lists = [request for request in bench.server.asked("GET", "/pods$") if not request[2].get("watch")]
    assert len(lists) == 1
    versions = [int(request[2]["resourceVersion"]) for request in watches(bench)]
    assert versions == sorted(versions)


def test_after_410_the_list_is_read_anew_and_nothing_is_missed(make_bench):
    bench = make_bench(code=UNTIL)
    bench.server.bookmark_every = 0.1
    agent = bench.start()
    agent.stderr.readline()
    rule = bench.server.faults.add("status", "watch=1", times=2, status=503)
    bench.server.cut_watches()
    wait_for("a watch that fails", lambda: rule.met)
    (bench.data / "groups/main/go").touch()
    wait_for("the end of the pod", lambda: bench.pod("Failed"))
    bench.cluster.store.forget_history()
    assert agent.wait(15) == 8
    assert len([request for request in bench.server.asked("GET", "/pods$") if not request[2].get("watch")]) == 2


def test_bookmarks_move_the_watch_on(make_bench):
    bench = make_bench(code=UNTIL)
    bench.server.bookmark_every = 0.05
    agent = bench.start()
    agent.stderr.readline()
    with bench.cluster.store.changed:
        bench.cluster.store.version += 1000  # others change their objects: nothing of ours

    def begins_behind_all_that():
        before = len(watches(bench))
        bench.server.cut_watches()
        wait_for("the watch again", lambda: len(watches(bench)) > before, seconds=60)
        return int(watches(bench)[-1][2]["resourceVersion"]) > 1000

    wait_for("a watch that begins behind all that", begins_behind_all_that, seconds=60, pause=0.2)
    (bench.data / "groups/main/go").touch()
    assert agent.wait(15) == 8


# -- KUBECONFIG -----------------------------------------------------------------------------------------------

def kubeconfig(bench, **user):
    ca = base64.b64encode((bench.server.directory / "ca.crt").read_bytes()).decode()
    return {"apiVersion": "v1", "kind": "Config", "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u", "namespace": "arizuko"}}],
            "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{bench.server.port}",
                                                   "certificate-authority-data": ca}}],
            "users": [{"name": "u", "user": user or {"token": "token-1"}}]}


def as_yaml(value, indent=0):
    """The block form in which kubectl writes them."""
    pad = "  " * indent
    if isinstance(value, dict):
        return "".join(f"{pad}{key}:{as_inner(each, indent)}" for key, each in value.items())
    return "".join(f"{pad}- " + as_yaml(each, indent + 1).lstrip() for each in value)


def as_inner(value, indent):
    return f" {value}\n" if isinstance(value, str) else "\n" + as_yaml(value, indent + 1)


@pytest.mark.parametrize("form", [json.dumps, as_yaml])
def test_kubeconfig_leads_to_the_cluster_from_outside(bench, tmp_path, form):
    (tmp_path / "config").write_text(form(kubeconfig(bench)))
    env = {"KUBECONFIG": str(tmp_path / "config"), "KUBERNETES_SERVICE_HOST": ""}
    assert bench.command("info", env=env).returncode == 0
    assert bench.run(env=env).returncode == 0


@pytest.mark.parametrize("change, part", [
    (lambda c: c["clusters"][0]["cluster"].update(server="https://cluster.example:6443"), "a numeric address"),
    (lambda c: c["clusters"][0]["cluster"].update(server="http://127.0.0.1:1"), "write https://"),
    (lambda c: c["users"][0].update(user={"exec": {"command": "aws"}}), "logs in by 'exec'"),
    (lambda c: c.update({"current-context": "x"}), "has no context 'x'"),
])
def test_a_kubeconfig_that_cannot_be_used_is_refused_with_what_would_work(bench, tmp_path, change, part):
    config = kubeconfig(bench)
    change(config)
    (tmp_path / "config").write_text(json.dumps(config))
    done = bench.command("info", env={"KUBECONFIG": str(tmp_path / "config")})
    assert done.returncode == 1 and part in done.stderr


# -- The Role ----------------------------------------------------------------------------------------------------

def test_the_role_of_the_component_is_what_these_tests_are_run_with():
    documents = yaml.safe_load_all((ROOT / "k8s/components/agents-jobs/role.yaml").read_text())
    rules = next(each["rules"] for each in documents if each["kind"] == "Role")
    granted = {resource: set(rule["verbs"]) for rule in rules for resource in rule["resources"]}
    assert granted == ROLE
