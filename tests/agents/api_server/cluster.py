"""What a control plane and a kubelet do with a Job: a pod, a process, a status, and the end of all three.

`images` maps an image to a command. What else may happen to a pod is asked for per image: `troubles` maps an
image to one of the words below.
"""
import itertools
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path

from . import checks
from .agent_process import AgentProcess
from .store import Store, now

TROUBLES = ("unschedulable", "pull-fails", "pull-hangs", "invalid-name", "config-error", "no-pod", "evicted-at-start",
            "start-error")


class Cluster:
    def __init__(self, data, images=None, instance_pod="arizuko-0", mount_path="/srv/data", namespace="arizuko",
                 sub_path=None):
        """`data` is the directory that is the volume; `mount_path` where arizuko's pod has it."""
        self.namespace = namespace
        self.store = Store()
        self.data = Path(data)
        self.images = dict(images or {})
        self.troubles = {}
        self.absent_programs = set()  # "kill": not in the agent image
        self.grace_limit = None  # shorter than the pod's own, for tests that wait for SIGKILL
        self.processes = {}
        self.threads_lock = threading.Lock()
        self.serial = itertools.count(1)
        self.roots = Path(tempfile.mkdtemp(prefix="agents-"))
        mount = {"name": "data", "mountPath": mount_path}
        if sub_path:
            mount["subPath"] = sub_path
        self.own_pod = self.store.add("pods", {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": instance_pod, "namespace": namespace, "labels": {"app.kubernetes.io/name": "arizuko"}},
            "spec": {"nodeName": "node-1",
                     "securityContext": {"fsGroup": 1000, "runAsUser": 1000},
                     "tolerations": [{"key": "dedicated", "operator": "Exists"}],
                     "imagePullSecrets": [{"name": "registry"}],
                     "containers": [{"name": "arizuko", "image": "arizuko", "volumeMounts": [
                         mount, {"name": "scratch", "mountPath": "/scratch"}]}],
                     "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "arizuko-data"}},
                                 {"name": "scratch", "emptyDir": {}}]},
            "status": {"phase": "Running"}})

    # -- Jobs -------------------------------------------------------------------------------------------------

    def create_job(self, job):
        checks.job(job)
        job["metadata"].setdefault("namespace", self.namespace)
        job["status"] = {}
        made = self.store.add("jobs", job)
        self._spawn(self._run_job, made)
        deadline = made["spec"].get("activeDeadlineSeconds")
        if deadline:
            self._timer(deadline, self._deadline, made)
        return made

    def _spawn(self, function, *arguments):
        threading.Thread(target=function, args=arguments, daemon=True).start()

    def _timer(self, seconds, function, *arguments):
        timer = threading.Timer(seconds, function, arguments)
        timer.daemon = True
        timer.start()

    def _deadline(self, job):
        name = job["metadata"]["name"]
        there = self.store.get("jobs", name)
        if there is None or there["metadata"]["uid"] != job["metadata"]["uid"] or there["status"].get("conditions"):
            return
        self._finish_job(name, "Failed", "DeadlineExceeded")
        self._stop_pods(name)

    def _finish_job(self, name, kind, reason=""):
        def alter(job):
            if not job["status"].get("conditions"):
                job["status"]["conditions"] = [{"type": kind, "status": "True", "reason": reason}]

        self.store.change("jobs", name, alter)
        job = self.store.get("jobs", name)
        if job and job["spec"].get("ttlSecondsAfterFinished") is not None:
            self._timer(job["spec"]["ttlSecondsAfterFinished"], self.delete_job, name, "Background")

    def _run_job(self, job):
        spec = job["spec"]["template"]["spec"]
        image = spec["containers"][0]["image"]
        trouble = self.troubles.get(image)
        if trouble == "no-pod":
            return
        name = f"{job['metadata']['name']}-{next(self.serial):05d}"
        template = job["spec"]["template"]
        labels = {**template["metadata"].get("labels", {}), "job-name": job["metadata"]["name"]}
        self.store.add("pods", {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": self.namespace, "labels": labels,
                         "annotations": template["metadata"].get("annotations", {}),
                         "ownerReferences": [{"kind": "Job", "name": job["metadata"]["name"]}]},
            "spec": dict(spec), "status": {"phase": "Pending"}})
        if self.store.get("jobs", job["metadata"]["name"]) is None:  # deleted before its pod was there
            self.store.remove("pods", name)
            return
        if trouble == "unschedulable":
            return self._status(name, conditions=[{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": "0/1 nodes are available: 1 Insufficient cpu."}])
        self.store.change("pods", name, lambda pod: pod["spec"].update(nodeName="node-1"))
        if trouble == "evicted-at-start":
            return self._status(name, phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
        self._waiting(name, "ContainerCreating", "")
        if trouble == "pull-fails" or (trouble is None and image not in self.images):
            self._waiting(name, "ErrImagePull", f'failed to pull image "{image}": not found')
            return self._waiting(name, "ImagePullBackOff", f'Back-off pulling image "{image}"')
        if trouble == "pull-hangs":
            return None
        if trouble == "invalid-name":
            return self._waiting(name, "InvalidImageName", f'couldn\'t parse image name "{image}"')
        if trouble == "config-error":
            return self._waiting(name, "CreateContainerConfigError", 'secret "tokens" not found')
        if trouble == "start-error":
            return self._terminated(name, 128, "StartError", "exec: \"agent\": executable file not found")
        return self._start(name, job, spec)

    def _start(self, name, job, spec):
        container = spec["containers"][0]
        claims = {volume["name"]: volume.get("persistentVolumeClaim", {}).get("claimName") for volume in spec["volumes"]}
        mounts = {}
        for mount in container["volumeMounts"]:
            if claims[mount["name"]]:
                mounts[mount["mountPath"]] = self.data / mount.get("subPath", "")
                mounts[mount["mountPath"]].mkdir(parents=True, exist_ok=True)
        environment = {each["name"]: each["value"] for each in container["env"]}
        root = self.roots / name.rsplit("-", 1)[1]  # short: there are sockets below it
        process = AgentProcess(self.images[container["image"]], environment, mounts, root,
                               lambda code: self._ended(name, job, code))
        self.processes[name] = process
        if process.exit_code is None:
            self._status(name, phase="Running", containerStatuses=[{
                "name": container["name"], "state": {"running": {"startedAt": now()}}}], unless_ended=True)

    def _ended(self, name, job, code):
        deadline = time.monotonic() + 5
        while name not in self.processes and time.monotonic() < deadline:
            time.sleep(0.001)
        reason = {0: "Completed"}.get(code, "Error")
        message = bytes(self.processes[name].log[-2048:]).decode(errors="replace") if code else ""
        pod = self.store.get("pods", name)
        if pod and pod["metadata"].get("annotations", {}).get("test/reason"):
            reason = pod["metadata"]["annotations"]["test/reason"]
        self._terminated(name, code, reason, message)
        self._finish_job(job["metadata"]["name"], "Failed" if code else "Complete", "BackoffLimitExceeded" if code else "")

    def _terminated(self, name, code, reason, message):
        def alter(pod):
            pod["status"].update(phase="Failed" if code else "Succeeded")
            pod["status"]["containerStatuses"] = [{"name": "agent", "state": {"terminated": {
                "exitCode": code, "reason": reason, "message": message, "finishedAt": now()}}}]

        self.store.change("pods", name, alter)

    def _status(self, name, unless_ended=False, **fields):
        def alter(pod):
            if unless_ended and pod["status"]["phase"] in ("Failed", "Succeeded"):
                return
            pod["status"].update(fields)

        self.store.change("pods", name, alter)

    def _waiting(self, name, reason, message):
        self._status(name, phase="Pending", containerStatuses=[{
            "name": "agent", "state": {"waiting": {"reason": reason, "message": message}}}])

    # -- Ends -------------------------------------------------------------------------------------------------

    def delete_job(self, name, policy="Background"):
        job = self.store.get("jobs", name)
        if job is None:
            return None
        if policy == "Foreground":
            if job["metadata"].get("deletionTimestamp"):
                return job  # its pods have been told
            self.store.change("jobs", name, lambda each: each["metadata"].update(deletionTimestamp=now()))
            self._spawn(self._delete_after_pods, name)
        else:
            self.store.remove("jobs", name)
            self._spawn(self._stop_pods, name)
        return job

    def _delete_after_pods(self, name):
        self._stop_pods(name)
        self.store.remove("jobs", name)

    def _stop_pods(self, job):
        pods, _ = self.store.list("pods", {"label": {"job-name": job}})
        for pod in pods:
            self.stop_pod(pod["metadata"]["name"])

    def stop_pod(self, name):
        """As the kubelet: SIGTERM, grace, SIGKILL, the last status, gone. Waits for it."""
        pod = self.store.change("pods", name, lambda each: each["metadata"].update(deletionTimestamp=now()))
        process = self.processes.get(name)
        if pod and process and process.exit_code is None:
            process.kill(signal.SIGTERM)
            if not process.ended.wait(self.grace_limit or pod["spec"].get("terminationGracePeriodSeconds", 30)):
                process.kill()
                process.ended.wait(5)
            end = time.monotonic() + 2
            while self.store.get("pods", name)["status"]["phase"] == "Running" and time.monotonic() < end:
                time.sleep(0.005)
        self.store.remove("pods", name)

    def evict(self, name):
        self._status(name, reason="Evicted", message="The node was low on resource: memory.")
        self.processes[name].kill()

    def oom_kill(self, name):
        self.store.change("pods", name,
                          lambda pod: pod["metadata"].setdefault("annotations", {}).update({"test/reason": "OOMKilled"}))
        self.processes[name].kill()

    def lose_node(self, name):
        self._status(name, phase="Unknown", reason="NodeLost", message="the node does not answer")

    def delete_own_pod(self):
        """With it goes what it owns: the garbage collector follows owner references."""
        pod = self.store.remove("pods", self.own_pod["metadata"]["name"])
        for job in self.store.list("jobs", {})[0]:
            if any(owner["uid"] == pod["metadata"]["uid"] for owner in job["metadata"].get("ownerReferences", [])):
                self.delete_job(job["metadata"]["name"])

    def close(self):
        for process in self.processes.values():
            process.kill()
        shutil.rmtree(self.roots, ignore_errors=True)
