"""Type=notify of a bare host: systemd is told when the instance is ready, that it lives, and that it stops."""
import os
import socket

from pod import UID


def test_systemd_is_told_of_ready_life_and_stop_and_no_child_of_it(a_pod):
    pod = a_pod(start=False)
    path = pod.out / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        os.chown(path, UID, UID)
        manager.settimeout(20)
        pod.env |= {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"}
        pod.start()
        said = []
        while not any(text.startswith("READY=1\n") for text in said):
            said.append(manager.recv(4096).decode())
        assert pod.get("/readyz")[0] == 200
        assert any("STATUS=" in text and "waits for" in text for text in said), said
        while said.count("WATCHDOG=1\n") < 3:
            said.append(manager.recv(4096).decode())
        assert "NOTIFY_SOCKET" not in pod.environ("gated")
        assert pod.stop() == 0
        while not any(text.startswith("STOPPING=1\n") for text in said):
            said.append(manager.recv(4096).decode())
    assert sum(text.startswith("READY=1\n") for text in said) == 1
