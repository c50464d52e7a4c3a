"""What the manifests promise, held against every rendering and against the stock plan."""
import re

import pytest
import yaml

from pod import ROOT, STOCK_PLAN, check, services_of
from rendered import (COMBINATIONS, GROUPS, K8S, OVERLAYS, TODAYS, container_of, everything, find, is_todays, kinds,
                      overlay, pod_of, port_of, try_combination)

TODAYS_PLAN = STOCK_PLAN.with_name("arizuko-routd.toml")

GUIDE_VARIABLES = {"AUTH_SECRET", "CHANNEL_SECRET", "TELEGRAM_BOT_TOKEN", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET",
                   "INSTANCE_NAME", "ASSISTANT_NAME", "WEB_HOST", "CONTAINER_IMAGE", "HOST_DATA_DIR", "HOST_APP_DIR"}


@pytest.fixture(scope="module")
def plan():
    return check()


@pytest.fixture(scope="module")
def todays_plan():
    return check(plan=TODAYS_PLAN)


def by_line(plan, todays_plan, look):
    """What `look` finds in each rendering, with the plan that it is for."""
    return {name: look(objects, todays_plan if is_todays(name) else plan) for name, objects in everything().items()}


def seconds(duration):
    """Seconds of a duration as the plan writes it: 1m30s."""
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)(ms|s|m|h)", duration))


def of_all(look):
    """What `look` finds in each rendering, by the rendering's name."""
    return {name: look(objects) for name, objects in everything().items()}


def all_are(expected, look):
    wrong = {name: seen for name, seen in of_all(look).items() if seen != expected}
    assert not wrong, f"expected {expected!r}; {dict(list(wrong.items())[:3])}"


def config(objects):
    return find(objects, "ConfigMap", "arizuko-config")["data"]


def example_secret():
    return yaml.safe_load((K8S / "base" / "secret.example.yaml").read_text())


def has(objects, container):
    return container in {each["name"] for each in pod_of(objects)["spec"].get("initContainers", [])}


# --- every file is used, and wrong combinations are refused


def test_every_component_is_part_of_some_combination():
    there = {str(path.parent.relative_to(K8S / "components")) for path in K8S.glob("components/**/kustomization.yaml")}
    combined = {name for group in GROUPS for choice in group for name in choice}
    assert there - {"external-secrets/common"} == combined | {*TODAYS}
    assert OVERLAYS == ["demo", "production", "rehearsal", "rehearsal-routd"]
    assert len(set(COMBINATIONS)) == len(COMBINATIONS) >= 256


def test_tls_without_an_ingress_is_refused_and_not_silently_left_out():
    done = try_combination(["tls"])
    assert done.returncode != 0 and "Ingress" in done.stderr, done.stderr


def test_two_stores_of_secrets_at_once_are_refused():
    done = try_combination(["external-secrets/aws", "external-secrets/vault"])
    assert done.returncode != 0, done.stdout


# --- the pod


def test_there_is_one_pod_with_one_container_and_never_two_at_a_time():
    all_are(("Recreate", 1, ["arizuko"]),
            lambda o: (find(o, "Deployment")["spec"]["strategy"]["type"], find(o, "Deployment")["spec"]["replicas"],
                       [each["name"] for each in pod_of(o)["spec"]["containers"]]))


def test_the_names_of_the_guide_are_kept():
    def names(objects):
        return {(each["kind"], each["metadata"]["name"]) for each in objects}
    kept = {("PersistentVolumeClaim", "arizuko-data"), ("ConfigMap", "arizuko-config"), ("Deployment", "arizuko"),
            ("Service", "arizuko"), ("ServiceAccount", "arizuko")}
    all_are(kept, lambda o: kept & names(o))
    all_are("arizuko-secrets", lambda o: volumes(o)["secrets"]["secret"]["secretName"])


def test_no_rendering_holds_a_secret():
    all_are(False, lambda o: "Secret" in kinds(o))


def volumes(objects):
    return {each["name"]: each for each in pod_of(objects)["spec"]["volumes"]}


def mounts(objects):
    return {each["name"]: each for each in container_of(objects)["volumeMounts"]}


def test_config_and_secrets_are_mounted_as_whole_directories_that_follow_a_change(plan):
    sources = plan["env"]["sources"]
    def look(objects):
        container, at = container_of(objects), mounts(objects)
        return ("envFrom" in container, any("subPath" in each for each in at.values()),
                [f"dir:{at[name]['mountPath']}" in sources for name in ("config", "secrets")],
                [at[name].get("readOnly") for name in ("config", "secrets")],
                "items" in volumes(objects)["secrets"]["secret"], volumes(objects)["secrets"]["secret"]["defaultMode"])
    all_are((False, False, [True, True], [True, True], False, 0o440), look)


def test_no_value_of_a_secret_is_put_into_the_environment():
    all_are([], lambda o: [each["name"] for each in container_of(o).get("env", [])
                           if "secretKeyRef" in each.get("valueFrom", {}) or each["name"] in example_secret()["stringData"]])


def test_only_the_rehearsals_and_the_demo_start_without_a_secret_and_the_plan_makes_what_they_need(plan):
    optional = of_all(lambda o: volumes(o)["secrets"]["secret"].get("optional", False))
    assert {name for name, each in optional.items() if each} == {"overlay rehearsal", "overlay rehearsal-routd", "overlay demo"}
    needed = {key for each in services_of(plan).values() if not each["enabled_when"] for key in each["need"]}
    assert needed and needed <= plan["env"]["generated"].keys()


def test_the_pod_security_standard_restricted_is_met_with_a_read_only_root():
    def look(objects):
        if has(objects, "dind"):
            return None
        spec, container = pod_of(objects)["spec"], container_of(objects)["securityContext"]
        return (spec["securityContext"]["runAsNonRoot"], spec["securityContext"]["runAsUser"],
                spec["securityContext"]["seccompProfile"], container["allowPrivilegeEscalation"],
                container["readOnlyRootFilesystem"], container["capabilities"],
                {"hostPID", "hostIPC", "hostNetwork", "shareProcessNamespace"} & spec.keys(),
                {kind for each in spec["volumes"] for kind in each} - {"name"})
    restricted = (True, 1000, {"type": "RuntimeDefault"}, False, True, {"drop": ["ALL"]}, set())
    for name, seen in of_all(look).items():
        if seen is not None:
            assert seen[:-1] == restricted, name
            # Volume types that "restricted" allows: no hostPath.
            assert seen[-1] <= {"persistentVolumeClaim", "configMap", "secret", "emptyDir", "projected"}, name


def test_only_dind_is_privileged_and_no_restricted_namespace_has_it():
    for name, objects in everything().items():
        privileged = [each["name"] for each in pod_of(objects)["spec"].get("initContainers", [])
                      if each.get("securityContext", {}).get("privileged")]
        assert privileged == (["dind"] if "agents-dind" in name else []), name
        if "Namespace" in kinds(objects):
            namespace = next(each for each in objects if each["kind"] == "Namespace")
            assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
            assert not privileged, name


def test_the_volume_belongs_to_the_user_that_runs_and_is_mounted_above_the_data_directory(plan):
    def look(objects):
        context = pod_of(objects)["spec"]["securityContext"]
        return (context["runAsUser"], context["runAsGroup"], context["fsGroup"], context["fsGroupChangePolicy"],
                mounts(objects)["data"]["mountPath"])
    all_are((1000, 1000, 1000, "OnRootMismatch", "/srv/data"), look)
    for name, objects in everything().items():
        values = config(objects)
        assert values["HOST_DATA_DIR"] == f"/srv/data/arizuko_{values['INSTANCE_NAME']}", name
    assert plan["pod"]["data_dir"] == "/srv/data/arizuko_demo"


def test_nothing_beside_the_volume_is_writable_in_the_container(plan):
    def look(objects):
        writable = {name for name, mount in mounts(objects).items() if not mount.get("readOnly")}
        return writable - {"dind-socket"}
    all_are({"data"}, look)
    below = plan["pod"]["data_dir"]
    scratch = {each["env"].get("TMPDIR", below) for each in plan["services"]}
    assert all(each.startswith(below) for each in scratch), scratch


def test_the_skills_are_where_the_image_has_them():
    all_are("/opt/arizuko", lambda o: config(o)["HOST_APP_DIR"])


def test_no_service_links_and_no_token_unless_agents_are_jobs():
    def look(objects):
        spec = pod_of(objects)["spec"]
        return spec["enableServiceLinks"], spec["serviceAccountName"]
    all_are((False, "arizuko"), look)
    for name, objects in everything().items():
        if "Role" not in kinds(objects):
            assert pod_of(objects)["spec"]["automountServiceAccountToken"] is False, name
            assert find(objects, "ServiceAccount")["automountServiceAccountToken"] is False, name


# --- time


def test_the_kubelet_waits_longer_than_the_plans_grace(plan, todays_plan):
    room = by_line(plan, todays_plan, lambda o, its: pod_of(o)["spec"]["terminationGracePeriodSeconds"] - seconds(
        its["pod"]["grace"]))
    assert set(room.values()) == {20}, "the same room in both lines"


def test_the_probes_ask_the_probe_port_for_what_each_of_them_means(plan):
    number = int(plan["pod"]["probes"].rsplit(":", 1)[1])
    def look(objects):
        container = container_of(objects)
        return ([container[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")],
                port_of(objects, "probes"))
    all_are(([{"path": path, "port": "probes"} for path in ("/startupz", "/livez", "/readyz")], number), look)


def test_the_startup_probe_gives_the_seed_and_the_gate_their_time(plan, todays_plan):
    def look(objects, its):
        services = services_of(its)
        gate = ["gated"] if "gated" in services else ["authd", "runed", "routd"]
        needed = sum(seconds(services[name]["within"]) for name in ["seed", *gate])
        probe = container_of(objects)["startupProbe"]
        allowed = probe["periodSeconds"] * probe["failureThreshold"]
        return needed < allowed < find(objects, "Deployment")["spec"]["progressDeadlineSeconds"]
    assert set(by_line(plan, todays_plan, look).values()) == {True}


def test_the_liveness_probe_is_patient_and_a_restart_of_gated_stays_within_readiness(plan):
    delay = seconds(services_of(plan)["gated"]["restart"]["delay"])
    def look(objects):
        live, ready = container_of(objects)["livenessProbe"], container_of(objects)["readinessProbe"]
        return (live["periodSeconds"] * live["failureThreshold"] >= 60, live["timeoutSeconds"] >= 5,
                ready["periodSeconds"] * (ready["failureThreshold"] - 1) > delay)
    all_are((True, True, True), look)


# --- the network


def test_the_service_leads_to_proxyd_and_nothing_else(plan):
    proxyd = services_of(plan)["proxyd"]["port"]
    def look(objects):
        ports = find(objects, "Service")["spec"]["ports"]
        return [(each["port"], each["targetPort"]) for each in ports], port_of(objects, "http")
    all_are(([(80, "http")], proxyd), look)
    all_are(1, lambda o: sum(each["kind"] == "Service" for each in o))


def test_selectors_select_the_pod():
    def look(objects):
        labels = pod_of(objects)["metadata"]["labels"].items()
        selectors = [find(objects, "Service")["spec"]["selector"],
                     find(objects, "Deployment")["spec"]["selector"]["matchLabels"]]
        for kind, path in (("NetworkPolicy", "podSelector"), ("PodDisruptionBudget", "selector")):
            if kind in kinds(objects):
                selectors.append(find(objects, kind)["spec"][path]["matchLabels"])
        return all(selector and selector.items() <= labels for selector in selectors)
    all_are(True, look)


def test_a_network_policy_leaves_exactly_proxyds_and_the_probe_port(plan):
    expected = {services_of(plan)["proxyd"]["port"], int(plan["pod"]["probes"].rsplit(":", 1)[1])}
    found = 0
    for name, objects in everything().items():
        if "NetworkPolicy" in kinds(objects):
            found += 1
            spec = find(objects, "NetworkPolicy")["spec"]
            assert spec["policyTypes"] == ["Ingress"], name
            assert {port["port"] for rule in spec["ingress"] for port in rule["ports"]} == expected, name
    assert found > 100


def test_every_overlay_has_a_network_policy():
    assert all("NetworkPolicy" in kinds(overlay(name)) for name in OVERLAYS)


def test_tls_covers_every_host_of_the_ingress():
    with_tls = [objects for name, objects in everything().items() if "+ tls" in name or name == "overlay production"]
    assert len(with_tls) > 50
    for objects in with_tls:
        spec = find(objects, "Ingress")["spec"]
        assert {host for each in spec["tls"] for host in each["hosts"]} == {each["host"] for each in spec["rules"]}


def test_the_ingress_leads_to_a_port_of_the_service():
    for name, objects in everything().items():
        if "Ingress" in kinds(objects):
            names = {each["name"] for each in find(objects, "Service")["spec"]["ports"]}
            backends = [path["backend"]["service"] for rule in find(objects, "Ingress")["spec"]["rules"]
                        for path in rule["http"]["paths"]]
            assert [(each["name"], each["port"]["name"] in names) for each in backends] == [("arizuko", True)], name


# --- the nodes


def gibibytes(quantity):
    """A quantity of Kubernetes in binary units."""
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()
    return int(number) / {"Mi": 1024, "Gi": 1}[unit]


def test_what_emptydirs_may_hold_is_below_the_limit_above_which_the_kubelet_evicts_the_pod():
    """The kubelet adds up the limits that there are, and takes no notice of containers without one."""
    seen = set()
    for name, objects in everything().items():
        spec = pod_of(objects)["spec"]
        limits = [each["resources"]["limits"]["ephemeral-storage"] for key in ("containers", "initContainers")
                  for each in spec.get(key, []) if "ephemeral-storage" in each.get("resources", {}).get("limits", {})]
        held = [each["emptyDir"]["sizeLimit"] for each in spec["volumes"] if "sizeLimit" in each.get("emptyDir", {})]
        if limits:
            assert sum(map(gibibytes, limits)) > sum(map(gibibytes, held)), name
            seen.add((len(limits), len(held)))
    assert seen == {(1, 0), (1, 1), (2, 1)}


def test_a_drain_gets_past_the_pod_and_an_autoscaler_leaves_it_alone():
    found = 0
    for name, objects in everything().items():
        annotations = pod_of(objects)["metadata"].get("annotations", {})
        if "PodDisruptionBudget" not in kinds(objects):
            assert annotations == {}, name
            continue
        found += 1
        budget = find(objects, "PodDisruptionBudget")["spec"]
        replicas = find(objects, "Deployment")["spec"]["replicas"]
        assert budget["maxUnavailable"] >= replicas and "minAvailable" not in budget, name
        assert annotations == {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                               "karpenter.sh/do-not-disrupt": "true"}, name
    assert found > 100


# --- secrets from a store


@pytest.mark.parametrize("store, provider", [("aws", "aws"), ("vault", "vault"), ("gcp", "gcpsm")])
def test_the_external_secret_makes_the_secret_that_is_mounted_from_the_store_that_is_there(store, provider):
    found = [objects for name, objects in everything().items() if f"external-secrets/{store}" in name]
    assert len(found) > 50
    for objects in found:
        secret, place = find(objects, "ExternalSecret", "arizuko-secrets"), find(objects, "SecretStore", "arizuko-store")
        assert secret["apiVersion"] == place["apiVersion"] == "external-secrets.io/v1"
        assert secret["spec"]["secretStoreRef"] == {"kind": "SecretStore", "name": "arizuko-store"}
        assert secret["spec"]["target"]["name"] == volumes(objects)["secrets"]["secret"]["secretName"]
        assert secret["spec"]["target"]["deletionPolicy"] == "Retain"
        assert list(place["spec"]["provider"]) == [provider]
        reader = re.search(r"'serviceAccountRef': \{'name': '([\w-]+)'\}", str(place)).group(1)
        assert reader == "arizuko-secret-reader" and find(objects, "ServiceAccount", reader)


def test_a_gcp_entry_has_a_name_that_gcp_allows():
    objects = next(each for name, each in everything().items() if "external-secrets/gcp" in name)
    key = find(objects, "ExternalSecret", "arizuko-secrets")["spec"]["dataFrom"][0]["extract"]["key"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,255}", key)


# --- today's line


def test_todays_line_differs_from_the_base_in_the_deployment_alone_and_names_its_plan():
    base, todays = everything()["base"], everything()["base + routd-line"]
    deployment = find(todays, "Deployment")
    assert [each for each in todays if each != deployment] == [each for each in base if each["kind"] != "Deployment"]
    assert container_of(todays)["args"] == ["run", "--plan", f"/etc/arizuko/{TODAYS_PLAN.name}"]
    named = {name for name, objects in everything().items() if "args" in container_of(objects)}
    assert named == {name for name in everything() if is_todays(name)} and len(named) > 10


def test_the_ports_of_both_plans_that_the_manifests_name_are_the_same(plan, todays_plan):
    def look(its):
        return services_of(its)["proxyd"]["port"], its["pod"]["probes"]
    assert look(plan) == look(todays_plan) == (8095, "0.0.0.0:9090")


def test_the_example_secret_of_todays_line_holds_what_its_plan_takes_and_no_value():
    example = yaml.safe_load((K8S / "components" / TODAYS[0] / "secret.example.yaml").read_text())
    assert set(example["stringData"].values()) == {""} and "data" not in example
    assert "SECRETS_KEY" in example["stringData"]
    unread = unread_by(TODAYS_PLAN, example["stringData"])
    assert not unread, f"nobody reads {sorted(unread)}"


# --- values


def unread_by(plan_file, names):
    lines = "\n".join(line for line in plan_file.read_text().splitlines() if not line.lstrip().startswith("#"))
    return {name for name in names if not re.search(rf'("|\$\{{){name}\b', lines)}


def test_the_example_secret_has_every_secret_of_the_guide_and_no_value():
    example = example_secret()
    assert set(example["stringData"].values()) == {""} and "data" not in example
    assert {name for name in GUIDE_VARIABLES if "SECRET" in name or "TOKEN" in name} <= example["stringData"].keys()
    assert "PROXYD_HMAC_SECRET" in example["stringData"]


def test_every_variable_of_the_guide_goes_somewhere_and_every_variable_here_is_read_by_the_plan():
    config_keys = set().union(*of_all(lambda o: frozenset(config(o))).values())
    here = config_keys | example_secret()["stringData"].keys()
    assert GUIDE_VARIABLES <= here
    unread = unread_by(STOCK_PLAN, here)
    assert not unread, f"nobody reads {sorted(unread)}"


def test_no_placeholder_looks_like_a_value():
    for path in K8S.rglob("*.yaml"):
        assert not re.search(r"change-?me|xox[bp]-|\b\d{6,}:[\w-]{20}|BEGIN [A-Z ]*PRIVATE", path.read_text()), path


def test_the_images_are_pinned_and_the_rehearsal_runs_the_rehearsal():
    images = {name: container_of(overlay(name))["image"] for name in OVERLAYS}
    assert all(re.search(r":\d+\.\d+\.\d+$|@sha256:", image) for image in images.values()), images
    rehearsing = {name for name, image in images.items() if image.startswith("arizuko-rehearsal:")}
    assert rehearsing == {"rehearsal", "rehearsal-routd"}
    assert container_of(overlay("rehearsal-routd"))["args"] == [
        "run", "--rehearse", "--plan", "/etc/arizuko/arizuko-routd.toml"]


def test_production_has_what_production_needs():
    needed = {"NetworkPolicy", "Ingress", "ExternalSecret", "SecretStore", "PodDisruptionBudget"}
    assert needed <= kinds(overlay("production"))
    resources = container_of(overlay("production"))["resources"]
    assert resources["requests"].keys() >= {"cpu", "memory"} and resources["limits"]["memory"]
    assert find(overlay("production"), "Ingress")["spec"]["tls"]


# --- agents


def test_agents_are_off_unless_a_component_runs_them():
    for name, objects in everything().items():
        if "agents-" not in name and "overlay production" not in name:
            assert config(objects)["CONTAINER_BACKEND"] == "none", name


def test_agents_as_jobs_are_asked_for_where_the_pod_reads_it():
    """The ConfigMap wins over the container's own variables: a backend set there would have no effect."""
    for name, objects in everything().items():
        if "agents-jobs" in name:
            assert config(objects)["CONTAINER_BACKEND"] == "kubernetes", name
            assert pod_of(objects)["spec"]["automountServiceAccountToken"] is True, name
            assert {"Role", "RoleBinding"} <= kinds(objects), name
        assert "CONTAINER_BACKEND" not in {each["name"] for each in container_of(objects).get("env", [])}, name


def test_the_engine_of_dind_sees_what_gated_names_and_gated_sees_its_socket():
    found = 0
    for name, objects in everything().items():
        if "agents-dind" not in name:
            continue
        found += 1
        sidecar = next(each for each in pod_of(objects)["spec"]["initContainers"] if each["name"] == "dind")
        at = {each["name"]: each["mountPath"] for each in sidecar["volumeMounts"]}
        values = config(objects)
        assert values["CONTAINER_BACKEND"] == "docker"
        assert at["data"] == mounts(objects)["data"]["mountPath"] and at["skills"] == values["HOST_APP_DIR"]
        assert values["DOCKER_HOST"] == f"unix://{mounts(objects)['dind-socket']['mountPath']}/docker.sock"
        assert f"--host={values['DOCKER_HOST']}" in sidecar["args"]
        # Up before gated, which exits when docker does not answer; gone after it.
        assert sidecar["restartPolicy"] == "Always" and sidecar["startupProbe"]
    assert found >= 100
