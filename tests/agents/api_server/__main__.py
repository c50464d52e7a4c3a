"""`python3 tests/agents/api_server demo [DIRECTORY]`: a server to try arizuko-docker against, until Ctrl-C."""
import shlex
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from api_server import ApiServer, Cluster  # noqa: E402

AGENT = ["/usr/bin/python3", "-c", "import json, sys; print('[ant] you said', json.load(sys.stdin)['prompt'], "
                                   "file=sys.stderr)"]


def main():
    if len(sys.argv) < 2 or sys.argv[1] != "demo":
        sys.exit(__doc__)
    directory = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="arizuko-demo-"))
    data = directory / "volume" / "arizuko_demo"
    data.mkdir(parents=True, exist_ok=True)
    server = ApiServer(Cluster(directory / "volume", {"demo-agent": AGENT}, mount_path=str(directory / "volume")),
                       directory / "server")
    variables = {**server.environment(), "DATA_DIR": str(data), "HOST_DATA_DIR": str(data)}
    print(f"""# An API server on 127.0.0.1:{server.port}. In another shell:
export {" ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())}
build/release/arizuko-docker info
echo '{{"prompt":"hello"}}' | build/release/arizuko-docker run -i --rm --name demo-1 -v {data}:/home/node demo-agent""",
          flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.close()


main()
