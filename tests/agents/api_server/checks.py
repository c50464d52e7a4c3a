"""What a real API server would refuse: wrong names and labels, unknown fields, and a pod that is not allowed
in a namespace of Pod Security "restricted"."""
import re

LABEL_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?\Z")
LABEL_KEY = re.compile(r"([a-z0-9][-.a-z0-9]{0,252}/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?\Z")

JOB_SPEC = {"backoffLimit", "ttlSecondsAfterFinished", "activeDeadlineSeconds", "template"}
POD_SPEC = {"restartPolicy", "terminationGracePeriodSeconds", "automountServiceAccountToken", "enableServiceLinks",
            "affinity", "tolerations", "imagePullSecrets", "securityContext", "containers", "volumes",
            "serviceAccountName", "runtimeClassName"}
CONTAINER = {"name", "image", "imagePullPolicy", "env", "envFrom", "volumeMounts", "resources", "stdin", "stdinOnce",
             "terminationMessagePolicy", "securityContext"}
POD_SECURITY = {"runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile", "fsGroup", "fsGroupChangePolicy",
                "supplementalGroups", "seLinuxOptions"}
METADATA = {"name", "labels", "annotations", "ownerReferences"}


class Invalid(Exception):
    def __init__(self, status, reason, message):
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


def _need(true, message, status=422, reason="Invalid"):
    if not true:
        raise Invalid(status, reason, message)


def _known(table, names, where):
    unknown = set(table) - names
    _need(not unknown, f"unknown field {where}.{', '.join(sorted(unknown))}", 400, "BadRequest")


def _metadata(metadata, where):
    _known(metadata, METADATA, where)
    for key, value in metadata.get("labels", {}).items():
        _need(LABEL_KEY.match(key) and LABEL_VALUE.match(value), f"{where}.labels: {key}: {value!r}")
    for key in metadata.get("annotations", {}):
        _need(LABEL_KEY.match(key), f"{where}.annotations: {key}")


def _restricted(pod, container):
    def need(true, what):
        _need(true, f'violates PodSecurity "restricted": {what}', 403, "Forbidden")

    of_pod, of_container = pod["securityContext"], container["securityContext"]
    need(of_pod.get("runAsNonRoot") is True and of_pod.get("runAsUser") != 0, "runAsNonRoot != true")
    need(of_pod.get("seccompProfile", {}).get("type") == "RuntimeDefault", "seccompProfile")
    need(of_container.get("allowPrivilegeEscalation") is False, "allowPrivilegeEscalation != false")
    need(of_container.get("capabilities", {}).get("drop") == ["ALL"], "unrestricted capabilities")
    for volume in pod["volumes"]:
        need(set(volume) <= {"name", "emptyDir", "persistentVolumeClaim", "configMap", "secret"}, "restricted volume types")


def job(body):
    _need(body.get("apiVersion") == "batch/v1" and body.get("kind") == "Job", "not a Job", 400, "BadRequest")
    _metadata(body["metadata"], "metadata")
    name = body["metadata"]["name"]
    _need(len(name) <= 57 and LABEL_NAME.match(name), f"metadata.name: {name!r}")  # its pods add 6 bytes
    _known(body["spec"], JOB_SPEC, "spec")
    template = body["spec"]["template"]
    _metadata(template["metadata"], "spec.template.metadata")
    pod = template["spec"]
    _known(pod, POD_SPEC, "spec.template.spec")
    _known(pod["securityContext"], POD_SECURITY, "securityContext")
    _need(pod["restartPolicy"] == "Never", "restartPolicy")
    _need(len(pod["containers"]) == 1, "containers")
    container = pod["containers"][0]
    _known(container, CONTAINER, "containers[0]")
    volumes = [volume["name"] for volume in pod["volumes"]]
    _need(len(volumes) == len(set(volumes)), "volumes: a name stands twice")
    paths = [mount["mountPath"] for mount in container["volumeMounts"]]
    _need(len(paths) == len(set(paths)), "volumeMounts: must be unique")
    for mount in container["volumeMounts"]:
        _need(mount["name"] in volumes, f"volumeMounts: no volume {mount['name']}")
        sub_path = mount.get("subPath", "x")
        _need(not sub_path.startswith("/") and ".." not in sub_path.split("/"), f"subPath: {sub_path!r}")
    names = [each["name"] for each in container["env"]]
    _need(all(isinstance(each["value"], str) for each in container["env"]), f"env: {names}")
    _restricted(pod, container)
