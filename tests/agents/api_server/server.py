"""HTTP over TLS: who asks, may they, and which object is meant."""
import json
import re
import socket
import ssl
import struct
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from . import certificates, channels, checks
from .faults import Faults
from .store import Exists, Gone
from .websocket import WebSocket, accept_key

# What k8s/components/agents-jobs grants; a test holds the two against each other.
ROLE = {
    "jobs": {"create", "get", "list", "watch", "delete"},
    "pods": {"get", "list", "watch"},
    "pods/log": {"get"},
    "pods/attach": {"get", "create"},
    "pods/exec": {"get", "create"},
}
PATHS = (
    re.compile(r"/apis/batch/v1/namespaces/(?P<ns>[^/]+)/(?P<kind>jobs)(?:/(?P<name>[^/]+))?$"),
    re.compile(r"/api/v1/namespaces/(?P<ns>[^/]+)/(?P<kind>pods)(?:/(?P<name>[^/]+)(?:/(?P<sub>log|attach|exec))?)?$"),
)
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Refused(Exception):
    def __init__(self, status, reason, message, retry_after=None):
        super().__init__(message)
        self.status, self.reason, self.message, self.retry_after = status, reason, message, retry_after


def status_object(status, reason, message):
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": reason, "code": status}


def selector_of(query):
    out = {"label": {}, "field": {}}
    for kind in out:
        for term in query.get(f"{kind}Selector", "").split(","):
            if term:
                key, value = term.split("=", 1)
                out[kind][key] = value
    return out


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0

    def log_message(self, *_):
        pass

    def setup(self):
        self.request.settimeout(20)
        try:
            self.request.do_handshake()
        except (OSError, ssl.SSLError):
            self.server.api.bad_handshakes += 1
            raise
        self.request.settimeout(None)
        super().setup()

    @property
    def api(self):
        return self.server.api

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, ssl.SSLError, OSError):
            self.close_connection = True

    def do_GET(self):
        self._serve()

    do_POST = do_DELETE = do_PATCH = do_PUT = do_GET

    # -- one request ------------------------------------------------------------------------------------------

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.close_connection = True
        split = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(split.query).items()}
        self.api.note(self.command, split.path, query, body, self.headers)
        rule = self.api.faults.meet(self.command, self.path)
        self.slow = bool(rule and rule.kind == "slow")
        try:
            if rule and rule.kind == "status":
                raise Refused(rule.status, "InternalError", "asked for by the test", rule.retry_after)
            if rule and rule.kind == "reset":
                return self._reset()
            if rule and rule.kind == "hang":
                self.api.stopping.wait(rule.seconds)
                return self._reset()
            if rule and rule.kind == "lost-answer":
                self._send = lambda *_, **__: self._reset()
            self._route(split.path, query, body)
        except Refused as refused:
            self._send(refused.status, status_object(refused.status, refused.reason, refused.message),
                       refused.retry_after)
        return None

    def _reset(self):
        """A TCP reset, without TLS's good-bye."""
        raw = socket.socket(fileno=self.connection.detach())
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()
        raise ConnectionError("reset")

    def _send(self, status, body, retry_after=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if retry_after is not None:
            self.send_header("Retry-After", str(retry_after))
        self.end_headers()
        step = 7 if self.slow else max(1, len(data))
        for at in range(0, len(data), step):
            self.wfile.write(data[at:at + step])
            if self.slow:
                time.sleep(0.0005)

    # -- who and what -----------------------------------------------------------------------------------------

    def _authenticate(self):
        bearer = self.headers.get("Authorization", "")
        if bearer.removeprefix("Bearer ") not in self.api.tokens:
            raise Refused(401, "Unauthorized", "Unauthorized")

    def _may(self, verb, resource):
        if verb not in self.api.role.get(resource, set()):
            raise Refused(403, "Forbidden", f'{resource} is forbidden: cannot {verb} resource "{resource}"')

    def _route(self, path, query, body):
        self._authenticate()
        if path == REVIEW:
            return self._review(json.loads(body))
        found = next((match for pattern in PATHS if (match := pattern.match(path))), None)
        if not found or found["ns"] != self.api.cluster.namespace:
            raise Refused(404, "NotFound", f"the server could not find {path}")
        kind, name = found["kind"], found["name"]
        sub = found.groupdict().get("sub")
        if sub:
            return self._sub(name, sub, query, parse_qs(urlsplit(self.path).query).get("command", []))
        if self.command == "POST" and not name:
            return self._create(kind, json.loads(body))
        if self.command == "DELETE" and name:
            return self._delete(kind, name, json.loads(body or b"{}"))
        if self.command != "GET":
            raise Refused(405, "MethodNotAllowed", "not served here")
        if name:
            self._may("get", kind)
            item = self.api.cluster.store.get(kind, name)
            if item is None:
                raise Refused(404, "NotFound", f'{kind} "{name}" not found')
            return self._send(200, item)
        if query.get("watch") in ("1", "true"):
            self._may("watch", kind)
            return self._watch(kind, query)
        self._may("list", kind)
        return self._list(kind, query)

    def _review(self, review):
        spec = review["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, (spec["resource"], spec.get("subresource"))))
        review["status"] = {"allowed": spec["verb"] in self.api.role.get(resource, set())}
        self._send(201, review)

    def _create(self, kind, body):
        self._may("create", kind)
        try:
            made = self.api.cluster.create_job(body)
        except checks.Invalid as invalid:
            raise Refused(invalid.status, invalid.reason, invalid.message) from invalid
        except Exists as exists:
            raise Refused(409, "AlreadyExists", f'jobs.batch "{exists}" already exists') from exists
        self._send(201, made)

    def _delete(self, kind, name, options):
        self._may("delete", kind)
        item = self.api.cluster.store.get(kind, name)
        if item is None:
            raise Refused(404, "NotFound", f'{kind} "{name}" not found')
        uid = options.get("preconditions", {}).get("uid")
        if uid and uid != item["metadata"]["uid"]:
            raise Refused(409, "Conflict", "the UID in the precondition does not match")
        self.api.cluster.delete_job(name, options.get("propagationPolicy", "Background"))
        self._send(200, item)

    def _list(self, kind, query):
        items, version = self.api.cluster.store.list(kind, selector_of(query))
        limit = min(int(query.get("limit", 500)), self.api.page_limit)
        begin = int(query.get("continue", 0))
        metadata = {"resourceVersion": version}
        if begin + limit < len(items):
            metadata["continue"] = str(begin + limit)
        self._send(200, {"kind": "List", "apiVersion": "v1", "metadata": metadata,
                         "items": items[begin:begin + limit]})

    def _watch(self, kind, query):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

        def line(event, item):
            data = json.dumps({"type": event, "object": item}).encode() + b"\n"
            for at in range(0, len(data), 100):  # an event comes in pieces
                part = data[at:at + 100]
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")

        version, selector = int(query["resourceVersion"]), selector_of(query)
        end = time.monotonic() + float(query.get("timeoutSeconds", 1800))
        generation = self.api.watch_generation
        try:
            while time.monotonic() < end and generation == self.api.watch_generation:
                version, events = self.api.cluster.store.events_after(version, kind, selector, self.api.bookmark_every)
                for event, item in events:
                    line(event, item)
                if not events:
                    line("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": str(version)}})
        except Gone:
            line("ERROR", status_object(410, "Expired", "too old resource version"))
        if generation != self.api.watch_generation:
            self._reset()
        self.wfile.write(b"0\r\n\r\n")

    # -- inside a pod -----------------------------------------------------------------------------------------

    def _sub(self, name, sub, query, command):
        verbs = ("get", "create") if sub != "log" else ("get",)
        for verb in verbs:  # a WebSocket is a GET, and since 1.35 must be allowed to create too
            self._may(verb, f"pods/{sub}")
        process = self.api.cluster.processes.get(name)
        if self.api.cluster.store.get("pods", name) is None:
            raise Refused(404, "NotFound", f'pods "{name}" not found')
        if process is None:
            raise Refused(400, "BadRequest", f'container "agent" in pod "{name}" is waiting to start')
        if sub == "log":
            data = bytes(process.log)
            if "tailLines" in query:
                data = b"".join(data.splitlines(keepends=True)[-int(query["tailLines"]):])
            return self._send(200, data[:int(query.get("limitBytes", 1 << 30))])
        if process.ended.is_set():
            raise Refused(500, "InternalError", "container not running")
        offered = [each.strip() for each in self.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        protocol = next((each for each in offered if each in self.api.protocols), None)
        if protocol is None:
            raise Refused(403, "Forbidden", f"unable to upgrade: {offered} are not supported")
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept_key(self.headers["Sec-WebSocket-Key"]))
        self.send_header("Sec-WebSocket-Protocol", protocol)
        self.end_headers()
        web = WebSocket(self.connection)
        if sub == "exec":
            return channels.run(web, process, command, self.api.cluster.absent_programs)
        streams = {each for each in ("stdin", "stdout", "stderr") if query.get(each) == "true"}
        return channels.attach(web, process, protocol, streams, self.api.attach_faults)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass  # a client that does not trust us, or is gone


class ApiServer:
    """Serves a Cluster on 127.0.0.1. `account` is a directory as a pod has it: token, ca.crt, namespace."""

    def __init__(self, cluster, directory=None):
        self.cluster = cluster
        self.directory = Path(directory or tempfile.mkdtemp(prefix="arizuko-api-"))
        self.faults = Faults()
        self.role = {resource: set(verbs) for resource, verbs in ROLE.items()}
        self.protocols = ("v5.channel.k8s.io", "v4.channel.k8s.io")
        self.tokens = {"token-1"}
        self.requests = []
        self.bad_handshakes = 0
        self.bookmark_every = 5
        self.watch_generation = 0
        self.page_limit = 500
        self.attach_faults = {}
        self.stopping = threading.Event()
        certificates.make(self.directory)
        self.account = self.directory / "account"
        self.account.mkdir(exist_ok=True)
        (self.account / "ca.crt").write_text((self.directory / "ca.crt").read_text())
        (self.account / "namespace").write_text(cluster.namespace)
        self.write_token("token-1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.directory / "server.crt", self.directory / "server.key")
        self.http = _Server(("127.0.0.1", 0), Handler)
        self.http.api = self
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def write_token(self, token):
        """As the kubelet: the file is replaced, never written in place."""
        fresh = self.account / "..token"
        fresh.write_text(token)
        fresh.rename(self.account / "token")

    def note(self, method, path, query, body, headers):
        self.requests.append((method, path, query, body, dict(headers), time.monotonic()))

    def asked(self, method, path):
        return [request for request in list(self.requests) if request[0] == method and re.search(path, request[1])]

    def cut_watches(self):
        self.watch_generation += 1
        with self.cluster.store.changed:
            self.cluster.store.changed.notify_all()

    def environment(self):
        """What gated's environment has in a pod."""
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port),
                "ARIZUKO_SERVICE_ACCOUNT_DIR": str(self.account), "CONTAINER_BACKEND": "kubernetes",
                "POD_NAME": self.cluster.own_pod["metadata"]["name"]}

    def close(self):
        self.stopping.set()
        self.cut_watches()
        self.http.shutdown()
        self.http.server_close()
        self.cluster.close()
