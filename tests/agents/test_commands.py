"""Every row of contract section 9: arguments, streams and exit codes, as docker 28 has them."""
import contextlib
import json
import os
import socket
import stat

import pytest
from agents import DOCKER, IMAGE, LINES, wait_for


@contextlib.contextmanager
def in_directory(path):
    before = os.getcwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


PS = ["ps", "--filter=name=arizuko-Andy-", "--format", "{{.Names}}", f"--filter=ancestor={IMAGE}"]
WAITS = "import sys, time\nsys.stdin.read()\nprint('[ant] up', file=sys.stderr, flush=True)\ntime.sleep(60)"


def test_row_1_info_succeeds_when_the_api_server_answers_and_everything_is_allowed(bench):
    done = bench.command("info")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Backend: kubernetes" in done.stdout and "Namespace: arizuko" in done.stdout


def test_row_1_info_fails_within_gateds_ten_seconds_when_nobody_answers(bench):
    done = bench.command("info", env={"KUBERNETES_SERVICE_PORT": "1"}, timeout=10)
    assert done.returncode == 1 and "no answer from the API server 127.0.0.1:1" in done.stderr


def test_row_1_info_names_every_permission_that_is_missing(bench):
    del bench.server.role["pods/exec"]
    bench.server.role["jobs"].remove("delete")
    done = bench.command("info")
    assert done.returncode == 1
    assert "may not delete jobs, get pods/exec, create pods/exec in namespace arizuko" in done.stderr


def test_row_1_info_fails_when_the_data_directory_is_on_no_volume_that_agents_could_share(bench):
    done = bench.command("info", env={"DATA_DIR": "/scratch/arizuko_demo"})
    assert done.returncode == 1 and "mounts no PersistentVolumeClaim at /scratch/arizuko_demo" in done.stderr


def test_row_2_ps_prints_this_instances_running_agents_of_that_image_one_a_line(make_bench):
    bench = make_bench(code=WAITS)
    assert bench.command(*PS).stdout == ""
    for name in ("arizuko-Andy-main-1", "arizuko-Andy-web-2", "arizuko-Bob-main-3"):
        bench.start(name)
    wait_for("three agents", lambda: len(bench.jobs()) == 3)
    done = bench.command(*PS)
    assert sorted(done.stdout.splitlines()) == ["arizuko-Andy-main-1", "arizuko-Andy-web-2"]
    assert (done.returncode, done.stderr) == (0, "")
    assert bench.command(*PS[:-1], "--filter=ancestor=other:1").stdout == ""
    assert bench.command(*PS[:-1], "--filter=ancestor=arizuko-ant").stdout.count("\n") == 2  # :latest is implied
    assert bench.command(*PS, env={"ARIZUKO_INSTANCE": "other"}).stdout == ""


def test_row_2_ps_reads_lists_of_several_pages(make_bench):
    bench = make_bench(code=WAITS)
    bench.server.page_limit = 2
    for number in range(5):
        bench.start(f"arizuko-Andy-main-{number}")
    wait_for("five agents", lambda: len(bench.jobs()) == 5)
    assert len(bench.command(*PS).stdout.splitlines()) == 5


def test_row_2_ps_fails_with_a_message_when_the_server_refuses(bench):
    bench.server.role["jobs"].clear()
    done = bench.command(*PS)
    assert done.returncode == 1 and done.stdout == "" and "403" in done.stderr and "agents-jobs" in done.stderr


def test_row_3_stop_ends_the_agent_by_sigterm_and_prints_its_name_when_it_is_gone(make_bench):
    bench = make_bench(code="import signal, sys, time\nsys.stdin.read()\n"
                            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
                            "print('[ant] up', file=sys.stderr, flush=True)\ntime.sleep(60)")
    agent = bench.start()
    assert agent.stderr.readline() == "[ant] up\n"
    done = bench.command("stop", "arizuko-Andy-main-1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "arizuko-Andy-main-1\n", "")
    assert bench.jobs() == [] and len(bench.cluster.store.items["pods"]) == 1
    assert agent.wait(10) == 7 and agent.stderr.read() == ""


def test_row_3_stop_kills_an_agent_that_ignores_sigterm_after_the_grace(make_bench):
    bench = make_bench(code="import signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                            "sys.stdin.read()\nprint('[ant] up', file=sys.stderr, flush=True)\ntime.sleep(60)")
    bench.cluster.grace_limit = 0.3
    agent = bench.start()
    agent.stderr.readline()
    done = bench.command("stop", "arizuko-Andy-main-1")
    assert (done.returncode, done.stdout) == (0, "arizuko-Andy-main-1\n")
    assert agent.wait(10) == 137


@pytest.mark.parametrize("words", [["stop", "nobody"], ["kill", "nobody"], ["kill", "--signal=SIGUSR1", "nobody"]])
def test_rows_3_5_6_what_is_not_there_cannot_be_stopped_or_killed(bench, words):
    done = bench.command(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error response from daemon: No such container: nobody\n"


@pytest.mark.parametrize("line", LINES)
def test_row_4_run_hands_on_input_both_outputs_and_the_exit_code(make_bench, line):
    bench = make_bench(line=line)
    done = bench.run(request='{"prompt":"hello","exit":3}')
    assert (done.returncode, done.stdout, done.stderr) == (3, "out hello\n", "[ant] hello\n")
    assert bench.jobs() == []


def test_row_4_run_gives_the_agent_what_docker_would(make_bench):
    bench = make_bench(code="import os, sys\nsys.stdin.read()\nroot = os.environ['AGENT_ROOT']\n"
                            "open(root + '/home/node/made', 'w').write('by the agent')\n"
                            "print(sorted(k for k in os.environ if k not in ('AGENT_ROOT', 'PATH', 'LC_CTYPE')))\n"
                            "print(os.path.exists(root + '/workspace/self'), os.path.isdir(root + '/workspace/ipc'))")
    done = bench.run("arizuko-Andy-main-1", "-e", "HOME=/home/node", "--user", "1234:1235")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['HOME', 'TZ']\nFalse True\n"
    assert (bench.data / "groups/main/made").read_text() == "by the agent"
    job = next(request for request in bench.server.asked("POST", "/jobs$"))[3].decode()
    for part in ('"runAsUser":1234', '"runAsGroup":1235', '"sizeLimit":"1073741824"', '"backoffLimit":0',
                 '"runAsNonRoot":true', '"values":["node-1"]', '"fsGroup":1000', '"key":"dedicated"',
                 '"imagePullSecrets":[{"name":"registry"}]', '"automountServiceAccountToken":false',
                 '"activeDeadlineSeconds":4120', f'"uid":"{bench.cluster.own_pod["metadata"]["uid"]}"'):
        assert part in job, part


def test_row_4_an_agent_of_runed_finds_its_sources_its_share_and_the_routers_socket(make_bench, tmp_path):
    """What runed promises: all of it lies on the volume, and the socket is the one that routd serves there."""
    bench = make_bench(line="runed", code="""
import json, os, socket, sys
request = json.loads(sys.stdin.read())
root = os.environ["AGENT_ROOT"]
print(open(root + "/opt/arizuko/ant/skills/hello").read(), sorted(k for k in os.environ if k in ("TZ", "ARIZUKO_MODEL")))
open(root + "/var/lib/share/made", "w").write("by the agent")
os.chdir(root + "/run/ipc")  # short: a socket's path has 107 bytes
with socket.socket(socket.AF_UNIX) as router:
    router.connect("gated.sock")
    router.sendall(json.dumps({"method": "submit_turn", "text": request["prompt"]}).encode())
""")
    for directory in ("app-src/ant/skills", "groups/main/share", "ipc/main"):
        (bench.data / directory).mkdir(parents=True)
    (bench.data / "app-src/ant/skills/hello").write_text("a skill")
    with socket.socket(socket.AF_UNIX) as router, in_directory(bench.data / "ipc/main"):
        router.bind("gated.sock")
        router.listen()
        router.settimeout(30)
        agent = bench.start()
        with router.accept()[0] as turn:
            assert json.loads(turn.makefile().read()) == {"method": "submit_turn", "text": "hello"}
        assert agent.wait(30) == 0, agent.stderr.read()
    assert agent.stdout.read() == "a skill ['ARIZUKO_MODEL', 'TZ']\n"
    assert (bench.data / "groups/main/share/made").read_text() == "by the agent"
    job = json.loads(bench.server.asked("POST", "/jobs$")[0][3])
    mounts = {each["mountPath"]: each for each in job["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]}
    assert mounts["/opt/arizuko"]["readOnly"] and mounts["/opt/arizuko"]["subPath"] == "arizuko_demo/app-src"


def test_row_4_the_deadline_follows_runeds_time_too(make_bench):
    bench = make_bench(line="runed")
    bench.run(env={"RUNED_RUN_TIMEOUT": "2h", "CONTAINER_TIMEOUT": "60000", "IDLE_TIMEOUT": "60000"})
    assert b'"activeDeadlineSeconds":7720' in bench.server.asked("POST", "/jobs$")[0][3]


def test_row_4_without_user_an_agent_runs_as_the_images_node(bench):
    assert bench.run().returncode == 0
    assert b'"runAsUser":1000,"runAsGroup":1000' in bench.server.asked("POST", "/jobs$")[0][3]


def test_row_4_a_sub_path_of_the_pods_own_mount_is_kept(make_bench):
    bench = make_bench(mount_path="/srv/data/arizuko_demo", sub_path="tenants/a")
    assert bench.run().returncode == 0
    assert b'"subPath":"tenants/a/groups/main"' in bench.server.asked("POST", "/jobs$")[0][3]


def test_row_4_the_deadline_follows_gateds_timers(bench):
    bench.run(env={"CONTAINER_TIMEOUT": "60000", "IDLE_TIMEOUT": "60000"})
    assert b'"activeDeadlineSeconds":580' in bench.server.asked("POST", "/jobs$")[0][3]


@pytest.mark.parametrize("words, part", [
    (["-v", "/etc:/etc/host"], "cannot mount /etc at /etc/host"),
    (["-v", "/srv/data/arizuko_demo/../other:/x"], "'..' is not allowed"),
    (["-v", "/srv/data/arizuko_demo2/x:/x"], "below HOST_DATA_DIR (/srv/data/arizuko_demo)"),
    (["--network", "arizuko-net"], "docker networks do not exist on Kubernetes"),
    (["--user", "0:0"], "cannot run an agent as root"),
])
def test_row_4_what_cannot_be_given_is_refused_before_anything_is_made(bench, words, part):
    done = bench.run("arizuko-Andy-main-1", *words)
    assert done.returncode == 125 and done.stdout == "" and part in done.stderr
    assert bench.server.asked("POST", "/jobs$") == []


def test_row_4_a_name_in_use_is_dockers_conflict(make_bench):
    bench = make_bench(code=WAITS)
    bench.start().stderr.readline()
    done = bench.run()
    assert done.returncode == 125
    assert 'Conflict. The container name "/arizuko-Andy-main-1" is already in use by container' in done.stderr
    assert len(bench.jobs()) == 1


def test_row_4_the_same_name_can_be_used_again_at_once(bench):
    for _ in range(3):
        assert bench.run("arizuko-Andy-main-task-7").returncode == 0


def test_row_4_a_finished_job_that_nobody_deleted_does_not_block_its_name(bench):
    bench.server.faults.add("status", "/jobs/", method="DELETE", times=99, status=403)
    assert bench.run().returncode == 0 and len(bench.jobs()) == 1
    bench.server.faults.rules.clear()
    assert bench.run().returncode == 0 and bench.jobs() == []


def test_row_5_kill_ends_the_agent(make_bench):
    bench = make_bench(code=WAITS)
    agent = bench.start()
    agent.stderr.readline()
    done = bench.command("kill", "arizuko-Andy-main-1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "arizuko-Andy-main-1\n", "")
    assert agent.wait(10) in (137, 143) and bench.jobs() == []


def test_row_5_rm_f_removes_a_running_agent_and_does_not_fail_when_there_is_none(make_bench):
    bench = make_bench(code=WAITS)
    bench.start().stderr.readline()
    done = bench.command("rm", "-f", "arizuko-Andy-main-1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "arizuko-Andy-main-1\n", "") and bench.jobs() == []
    done = bench.command("rm", "-f", "arizuko-Andy-main-1")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "Error response from daemon: No such container: arizuko-Andy-main-1\n"


STEERED = ("import signal, sys, time\nseen = []\nsignal.signal(signal.SIGUSR1, lambda *_: seen.append(1))\n"
           "sys.stdin.read()\nprint('[ant] up', file=sys.stderr, flush=True)\n"
           "while not seen: time.sleep(0.01)\nprint('steered', flush=True)")


@pytest.mark.parametrize("absent", [set(), {"kill"}])
@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
def test_row_6_a_signal_reaches_the_agents_pid_1(make_bench, absent, protocol, tmp_path):
    bench = make_bench(code=STEERED)
    bench.server.protocols = (protocol,)
    bench.cluster.absent_programs = absent
    if absent:  # node, which every agent image has, steps in; here a stand-in for it
        node = tmp_path / "node"
        node.write_text("#!/bin/sh\n[ \"$1\" = -e ] || exit 9\n"
                        "kill -USR1 $(echo \"$2\" | sed -n \"s/process.kill(\\([0-9]*\\),'SIGUSR1')/\\1/p\")\n")
        node.chmod(node.stat().st_mode | stat.S_IXUSR)
        os.environ["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    agent = bench.start()
    agent.stderr.readline()
    done = bench.command("kill", "--signal=SIGUSR1", "arizuko-Andy-main-1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "arizuko-Andy-main-1\n", "")
    assert agent.wait(10) == 0 and agent.stdout.read() == "steered\n"


def test_row_6_a_signal_that_cannot_be_sent_is_no_success(make_bench):
    bench = make_bench(code=WAITS)
    bench.start().stderr.readline()
    done = bench.command("kill", "--signal=SIGNONSENSE", "arizuko-Andy-main-1")
    assert done.returncode == 1 and done.stdout == "" and "cannot kill container" in done.stderr


def test_row_6_an_agent_that_does_not_run_yet_cannot_be_signalled_but_steered(bench):
    bench.cluster.troubles[IMAGE] = "pull-hangs"
    bench.start()
    bench.pod("Pending")
    assert bench.command("kill", "--signal=SIGUSR1", "arizuko-Andy-main-1").returncode == 0  # it reads its input at the start
    done = bench.command("kill", "--signal=SIGUSR2", "arizuko-Andy-main-1")
    assert done.returncode == 1 and "is not running" in done.stderr


@pytest.mark.parametrize("words", [
    ["network", "inspect", "-f", '{{range .IPAM.Config}}{{.Subnet}}{{"\\n"}}{{end}}', "arizuko-net"],
    ["network", "create", "--internal", "--subnet", "10.99.0.0/24", "arizuko-net"],
    ["network", "connect", "--alias", "crackbox", "arizuko-net", "crackbox"]])
def test_rows_7_to_9_networks_are_never_said_to_be_there(bench, words):
    done = bench.command(*words)
    assert (done.returncode, done.stdout) == (1, "") and "network arizuko-net cannot be" in done.stderr
    # what gated would take for "done already" or "try another subnet"
    for text in ("already exists", "already connected", "Pool overlaps"):
        assert text not in done.stderr
    assert bench.server.requests == []


@pytest.mark.parametrize("words, code", [
    (["pull", IMAGE], 1), (["exec", "x", "sh"], 1), (["run", "-d", "--rm", "--name", "n1", IMAGE], 125),
    (["run", "-i", "--rm", "--name", "n1", IMAGE, "sh"], 125), (["ps", "--format", "{{.ID}}"], 1),
    (["ps", "--filter=status=exited", "--format", "{{.Names}}"], 1), (["rm", "n1"], 1), (["stop"], 1),
    (["run", "-i", "--rm", "--privileged", "--name", "n1", IMAGE], 125)])
def test_anything_else_is_an_error_that_names_what_is_supported(bench, words, code):
    done = bench.command(*words)
    assert done.returncode == code and done.stdout == ""
    assert "docker kill [--signal SIGNAL] NAME..." in done.stderr
    assert bench.server.requests == []


# -- The other backends ---------------------------------------------------------------------------------------

@pytest.fixture
def other_docker(tmp_path):
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\necho "docker: $*"\nexit 5\n')
    docker.chmod(0o755)
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "docker").symlink_to(DOCKER)
    return {"PATH": f"{ours}:{docker.parent}:/usr/bin:/bin"}


def test_docker_is_the_next_one_in_path_with_the_arguments_untouched(bench, other_docker):
    for words in (["info"], ["exec", "-it", "x y", "sh"], []):
        done = bench.command(*words, env={**other_docker, "CONTAINER_BACKEND": "docker"})
        assert (done.returncode, done.stdout) == (5, f"docker: {' '.join(words)}\n")


@pytest.mark.parametrize("env", [
    {"KUBERNETES_SERVICE_HOST": ""}, {"ARIZUKO_SERVICE_ACCOUNT_DIR": "/nowhere"},
    {"DOCKER_HOST": "tcp://127.0.0.1:2375"}])
def test_docker_is_the_default_outside_a_pod_and_where_an_engine_is_named(bench, other_docker, env):
    done = bench.command("info", env={**other_docker, "CONTAINER_BACKEND": "", **env})
    assert done.returncode == 5


def test_kubernetes_is_the_default_in_a_pod_with_a_service_account(bench):
    done = bench.command("info", env={"CONTAINER_BACKEND": ""})
    assert done.returncode == 0 and "Backend: kubernetes" in done.stdout


def test_without_another_docker_the_error_says_what_would_work(bench):
    done = bench.command("info", env={"CONTAINER_BACKEND": "docker", "PATH": "/nowhere"})
    assert done.returncode == 127 and "CONTAINER_BACKEND to kubernetes or none" in done.stderr


def test_with_backend_none_gated_starts_and_a_turn_fails_with_one_sentence(bench):
    none = {"CONTAINER_BACKEND": "none"}
    assert bench.command("info", env=none).returncode == 0
    assert bench.command(*PS, env=none).stdout == ""
    done = bench.run(env=none)
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr == ("docker: no agent can run here: CONTAINER_BACKEND is none; set it to kubernetes or "
                           "docker\n")
    for words in (["stop", "x"], ["kill", "x"], ["network", "create", "x"]):
        assert bench.command(*words, env=none).returncode == 1


def test_an_unknown_backend_is_refused(bench):
    done = bench.command("info", env={"CONTAINER_BACKEND": "podman"})
    assert done.returncode == 1 and "write docker, kubernetes or none" in done.stderr
