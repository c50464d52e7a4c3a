"""doctor, healthcheck and completion against real instances; check --pod against the project's own manifests."""
import json
import os
import shlex
import shutil
import subprocess

import pytest

from pod import INIT, ROOT, STOCK_PLAN, wait_for


def ask(pod, command, *options):
    """A command that takes the plan, as it would be typed in the pod."""
    return pod.ctl(command, "--plan", str(STOCK_PLAN), "--set", f"pod.data_dir={pod.data}", *options)


def doctor(pod, *options):
    done = ask(pod, "doctor", "--rehearse", "--json", *options)
    assert done.returncode in (0, 1, 78), (done.returncode, done.stderr)
    return json.loads(done.stdout)


def of(answer, check):
    return [each for each in answer["findings"] if each["check"] == check]


def test_doctor_beside_a_running_instance_says_so_and_disturbs_nothing(a_pod):
    pod = a_pod()
    pod.wait_ready()
    seq = pod.last_seq()
    answer = doctor(pod)
    assert answer["errors"] == 0, answer
    assert [each["severity"] for each in of(answer, "lock")] == ["note"]
    assert "runs on this data directory" in of(answer, "lock")[0]["what"]
    assert "held by the running instance itself" in of(answer, "ports")[0]["what"]
    assert pod.last_seq() == seq, "a look is no event"


def test_doctor_names_a_stranger_on_a_port(a_pod):
    pod = a_pod(options=["--set", "service.timed.enabled=false"])
    pod.wait_ready()
    with pod.listen(8080):
        found = of(doctor(pod), "ports")
        assert any(each["severity"] == "error" and "port 8080 is held" in each["what"] for each in found), found


def test_doctor_that_is_asked_of_another_data_directory_says_so_once(a_pod):
    """As without --rehearse beside a rehearsal: not one finding a port, with the advice to end what runs."""
    pod = a_pod()
    pod.wait_ready()
    done = pod.ctl("doctor", "--plan", str(STOCK_PLAN), "--set", f"pod.data_dir={pod.data}_elsewhere", "--rehearse", "--json")
    found = of(json.loads(done.stdout), "ports")
    assert [each["severity"] for each in found] == ["error"], found
    assert "held by an instance that runs on another data directory" in found[0]["what"]
    assert "--rehearse, --plan and --set" in found[0]["fix"]


def test_doctor_says_that_docker_and_the_programs_are_missing_without_the_arizuko_image(a_pod):
    pod = a_pod()
    pod.wait_ready()
    done = ask(pod, "doctor", "--json", "--set", f"pod.path={pod.out}")
    assert done.returncode == 78
    answer = json.loads(done.stdout)
    assert any("gated is not in" in each["what"] for each in of(answer, "programs"))
    assert any("no docker command" in each["what"] for each in of(answer, "docker"))
    assert of(answer, "skills") and of(answer, "generated-values")


def test_doctor_on_a_full_disk_says_so(tmp_path):
    """A write to mapped memory of a file without blocks would end it with SIGBUS."""
    data = tmp_path / "arizuko_demo"
    script = """
      mount -t tmpfs -o size=256k tmpfs "$1"; mkdir "$1/arizuko_demo"
      head -c 1M /dev/zero >"$1/fill" 2>/dev/null
      shift; exec "$@"
    """
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", tmp_path, INIT, "doctor", "--rehearse",
                           "--plan", STOCK_PLAN, "--set", f"pod.data_dir={data}", "--json"], capture_output=True, text=True)
    assert done.returncode == 78, done
    found = [each for each in json.loads(done.stdout)["findings"] if each["severity"] == "error"]
    assert {each["check"] for each in found} == {"free-space", "file-system"}, found
    assert any("No space left on device" in each["what"] for each in found), found


def test_healthcheck_follows_readiness_and_liveness_does_not(a_pod):
    pod = a_pod()
    pod.wait_ready()
    done = ask(pod, "healthcheck")
    assert (done.returncode, done.stdout) == (0, "yes: 127.0.0.1:9090/readyz: ok\n")
    assert ask(pod, "healthcheck", "--probe", "startupz").returncode == 0
    pod.ctl("stop", "proxyd", "--wait", "20")
    wait_for("the healthcheck to say no", lambda: ask(pod, "healthcheck").returncode == 1)
    done = ask(pod, "healthcheck")
    assert done.stdout.startswith("no: 127.0.0.1:9090/readyz: 503 not ready") and done.stdout.count("\n") == 1
    assert ask(pod, "healthcheck", "--probe", "livez").returncode == 0


def test_healthcheck_of_a_dead_instance_is_1(a_pod):
    pod = a_pod()
    pod.wait_ready()
    done = ask(pod, "healthcheck", "--set", "pod.probes=127.0.0.1:9099")
    assert (done.returncode, done.stdout) == (1, "no: 127.0.0.1:9099/readyz: Connection refused\n")


# ---------------------------------------------------------------------------------------------
# completion


def complete(shell_words, prefix=(), **options):
    """What bash offers behind these words."""
    script = """
      source <("$1" completion bash); shift
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
      _arizuko_init "$1"
      printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run([*prefix, "bash", "-c", script, "bash", str(INIT), str(INIT), *shell_words],
                          capture_output=True, text=True, timeout=30, **options)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.split()


def test_bash_completes_commands_options_and_values():
    assert complete(["do"]) == ["doctor"]
    assert "healthcheck" in complete([""])
    assert complete(["check", "--po"]) == ["--pod"]
    assert complete(["run", "--log", ""]) == ["console", "json", "journal"]
    assert complete(["healthcheck", "--probe", "st"]) == ["startupz"]
    assert complete(["completion", ""])[-3:] == ["bash", "zsh", "fish"]
    assert complete(["check", "--pod", str(ROOT / "READM")]) == [str(ROOT / "README.md")]
    assert complete(["run", "--set", ""]) == []


def test_bash_completes_the_services_of_the_running_instance(a_pod):
    pod = a_pod()
    pod.wait_ready()
    script = """
      source <("$1" completion bash)
      COMP_WORDS=("$1" restart "$2"); COMP_CWORD=2
      _arizuko_init "$1"
      printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = pod.inside("bash", "-c", script, "bash", str(INIT), "")
    names = done.stdout.split()
    assert {"gated", "proxyd", "teled"} <= set(names), done
    assert "NAME" not in names
    assert pod.inside("bash", "-c", script, "bash", str(INIT), "gat").stdout.split() == ["gated"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_script_is_one_for_its_shell(shell, tmp_path):
    assert shutil.which(shell), f"apt-get install {shell}"
    path = tmp_path / "script"
    path.write_text(subprocess.run([str(INIT), "completion", shell], capture_output=True, text=True, check=True).stdout)
    done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


ZSH_THAT_COMPLETES = r"""
  zmodload zsh/zpty
  zpty shell zsh -f -i
  listen() {  # until the terminal has said $1, at most 20 s
    local said= part; local -i round
    for ((round = 0; round < 200; ++round)); do
      while zpty -rt shell part; do said+=$part; done
      [[ $said == *$1* ]] && { print -r -- $said; return 0 }
      zselect -t 10
    done
    print -r -- "no $1 in: $said"; return 1
  }
  zmodload zsh/zselect
  zpty -w shell "PS1=; fpath=($1 \$fpath); path=($2 \$path); autoload -U compinit; compinit -u -D; print re''ady"
  listen ready >/dev/null || exit
  zpty -w -n shell "$3"$'\t'
  listen "$4"
"""


@pytest.mark.parametrize("typed, completed", [("doc", "doctor"), ("check --po", "check --pod"), ("run --log js", "run --log json"),
                                              ("healthcheck --probe st", "healthcheck --probe startupz"),
                                              ("secrets a", "secrets accept")])
def test_zsh_completes_commands_options_and_values(tmp_path, typed, completed):
    script = subprocess.run([str(INIT), "completion", "zsh"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "_arizuko-init").write_text(script)
    done = subprocess.run(["zsh", "-f", "-c", ZSH_THAT_COMPLETES, "zsh", tmp_path, INIT.parent,
                           f"arizuko-init {typed}", f"arizuko-init {completed}"],
                          capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin:/bin", "TERM": "dumb"})
    assert done.returncode == 0, done


def test_fish_completes_commands_and_options(tmp_path):
    script = tmp_path / "arizuko-init.fish"
    script.write_text(subprocess.run([str(INIT), "completion", "fish"], capture_output=True, text=True, check=True).stdout)

    def offered(line):
        done = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"], capture_output=True,
                              text=True, env={"PATH": f"{INIT.parent}:/usr/bin:/bin", "HOME": str(tmp_path)})
        return [each.split("\t")[0] for each in done.stdout.splitlines()]

    assert offered("arizuko-init doc") == ["doctor"]
    assert "--pod" in offered("arizuko-init check --p")
    assert offered("arizuko-init run --log js") == ["json"]


# ---------------------------------------------------------------------------------------------
# documents


def test_the_man_page_is_what_help_says_and_has_no_fault():
    subprocess.run([str(ROOT / "scripts" / "man"), "--check", str(INIT)], check=True)
    page = ROOT / "docs" / "reference" / "arizuko-init.1"
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", str(page)], capture_output=True, text=True)
    assert (lint.returncode, lint.stdout) == (0, "")
    groff = subprocess.run(["groff", "-man", "-ww", "-z", str(page)], capture_output=True, text=True)
    assert (groff.returncode, groff.stderr) == (0, "")


# ---------------------------------------------------------------------------------------------
# our own manifests

OVERLAYS = sorted(path.parent for path in (ROOT / "k8s").glob("*/**/kustomization.yaml")
                  if path.parent.parent.name == "overlays" or path.parent.name == "base")


def test_there_are_manifests():
    assert {"base", "demo", "production", "rehearsal"} <= {path.name for path in OVERLAYS}


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_check_pod_finds_nothing_wrong_in_our_own_manifests(overlay, tmp_path):
    command = shlex.split(os.environ.get("KUSTOMIZE", "kubectl kustomize"))  # set by scripts/manifests
    rendered = subprocess.run([*command, str(overlay)], capture_output=True, text=True)
    assert rendered.returncode == 0, rendered.stderr
    done = subprocess.run([str(INIT), "check", "--plan", str(STOCK_PLAN), "--pod", "-", "--json"], input=rendered.stdout,
                          capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    answer = json.loads(done.stdout)
    assert (answer["errors"], answer["warnings"]) == (0, 0), answer["findings"]
    assert done.returncode == 0
    assert {each["check"] for each in answer["findings"]} <= {"resources"}, answer["findings"]
