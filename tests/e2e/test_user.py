"""PID 1 is root with what Docker leaves it, and the services have a `user` of their own."""
import os
import stat

from pod import wait_for

USER = """
[pod]
instance = "demo"
page = "off"
make_dirs = ["${pod.data_dir}/.arizuko-init/home", "${pod.data_dir}/store"]
[env]
sources = ["environment", "dotenv:${pod.data_dir}/.env"]
guarded = ["AUTH_SECRET"]
[service.main]
command = ["sh", "-c", "pwd; echo out >/dev/stdout; echo err >/dev/stderr; echo fd >/proc/self/fd/1; id; exec sleep 99999"]
user = "4711"
take = ["AUTH_SECRET"]
ready.log = "uid="
"""


def pod_with_user(a_pod, more="", owner=None, **options):
    pod = a_pod(start=False, rehearse=False, root=True, **options)
    pod.write_plan(USER + more)
    os.chmod(pod.data, 0o755)
    os.chown(pod.data, *(owner or (0, 0)))
    for above in (pod.data.parent, pod.data.parent.parent):
        os.chown(above, 0, 0)
    os.chmod(pod.base, 0o755)
    return pod


def owner_of(path):
    info = path.lstat()
    return info.st_uid, info.st_gid


def test_user_works_with_all_the_defaults(a_pod):
    pod = pod_with_user(a_pod)
    pod.data.rmdir()
    pod.start().wait_ready()
    for line in ("out", "err", "fd", str(pod.data / ".arizuko-init" / "cwd")):
        pod.wait_logged(f'"msg":"{line}"')
    identity = pod.wait_logged("uid=4711")
    assert "gid=4711 groups=4711" in identity and "root" not in identity, identity
    # The directories are the user's, the state is root's, and what it runs in stays empty.
    state = pod.data / ".arizuko-init"
    assert owner_of(pod.data) == owner_of(state / "home") == owner_of(pod.data / "store") == (4711, 4711)
    assert owner_of(state) == owner_of(state / "cwd") == (0, 0)
    assert stat.S_IMODE(state.lstat().st_mode) == 0o711
    doctor = pod.ctl("doctor", "--plan", str(pod.plan), "--set", f"pod.data_dir={pod.data}")
    assert " users" not in doctor.stdout, doctor.stdout
    assert pod.stop() == 0


def test_doctor_and_the_start_say_that_a_user_cannot_enter(a_pod):
    pod = pod_with_user(a_pod)
    os.chmod(pod.data, 0o700)
    pod.start()
    pod.wait_event(lambda e: e["service"] == "main" and "entering the directory" in e["cause"], "the failed start")
    doctor = pod.ctl("doctor", "--plan", str(pod.plan), "--set", f"pod.data_dir={pod.data}")
    assert f"uid 4711 cannot enter {pod.data} (owner 0:0, mode 0700)" in doctor.stdout, doctor.stdout


def test_a_daemon_that_swaps_what_is_below_its_data_directory_gets_nothing_from_root(a_pod):
    pod = pod_with_user(a_pod, '[task.seed]\ncommand = ["false"]\nuser = "4711"\n'
                               'creates = "${pod.data_dir}/seeded"\nrestart = { when = "on-failure", delay = "1s" }\n'
                               '[service.late]\ncommand = ["sleep", "99999"]\nuser = "4711"\n'
                               'cwd = "${pod.data_dir}/store/late"\n', owner=(4711, 4711),
                        env={"AUTH_SECRET": "one"})
    victim = pod.base / "victim"
    victim.mkdir()
    names = ("lock", "seed.begun", "guarded.json", "guarded.json.new", "cwd", "termination-log")
    for name in names:
        (victim / name).write_text("precious")
    pod.start().wait_service("main", "ready")
    # As uid 4711, to whom the data directory belongs.
    done = pod.inside("sh", "-c", f"cd {pod.data} && mv .arizuko-init aside && ln -s {victim} .arizuko-init && "
                                  f"mv store gone && ln -s {victim} store", uid=4711)
    assert done.returncode == 0, done
    seq = pod.last_seq()
    pod.ctl("restart", "seed")
    pod.ctl("restart", "late")
    pod.wait_event(lambda e: e["service"] == "seed" and e["to"] in ("failed", "backoff"), "a run of seed", after=seq)
    pod.wait_event(lambda e: e["service"] == "late", "a try of late", after=seq)
    pod.stop()
    assert {path.name: path.read_text() for path in victim.iterdir()} == {name: "precious" for name in names}
    # The next boot follows no link either.
    again = pod_with_user(a_pod, data=pod.data, owner=(4711, 4711))
    again.start()
    assert again.wait_exit(20) == 77
    assert "it is a link, not a directory; look who put it there" in again.errors()
    assert {path.name: path.read_text() for path in victim.iterdir()} == {name: "precious" for name in names}


def test_root_does_not_follow_a_link_in_the_place_of_the_termination_log_or_of_the_dotenv(a_pod):
    pod = pod_with_user(a_pod, owner=(4711, 4711))
    precious = pod.base / "precious"
    precious.write_text("AUTH_SECRET=of-root\n")
    log = pod.data / "last" / "words"
    log.parent.mkdir()
    os.chown(log.parent, 4711, 4711)
    log.touch()
    pod.options += ["--set", f"pod.termination_log={log}"]
    pod.start().wait_ready()
    wait_for("the termination message", lambda: "running" in log.read_text())
    done = pod.inside("sh", "-c", f"cd {pod.data} && ln -s {precious} .env && rm {log} && ln -s {precious} {log}",
                      uid=4711)
    assert done.returncode == 0, done
    pod.wait_logged("a link of uid 4711 is on the way, which root does not follow")
    assert pod.stop() == 0
    assert precious.read_text() == "AUTH_SECRET=of-root\n"
