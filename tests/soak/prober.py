"""A kubelet in a process of its own, so that nothing else of the soak makes it slow: asks /livez until its stdin ends,
then prints {"asked", "failed", "slowest"} as JSON. Runs in the network namespace of the pod."""
import json
import select
import socket
import sys
import time

TIMEOUT = 1.0  # timeoutSeconds of a probe that does not say: the least there is
PAUSE = 0.1


def ask():
    """Seconds until the answer, and what is wrong with it; nothing: None."""
    begun = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", 9090), TIMEOUT) as connection:
            connection.settimeout(TIMEOUT)
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n")
            said = connection.recv(4096).split(b"\r\n", 1)[0].decode("latin-1")
    except OSError as error:
        said = f"{type(error).__name__}: {error}"
    took = time.monotonic() - begun
    fine = said.startswith("HTTP/1.1 200") and took <= TIMEOUT
    return took, None if fine else f"{said} after {took:.2f} s, at {time.strftime('%H:%M:%S')}"


def main():
    asked, failed, slowest = 0, [], 0.0
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        took, wrong = ask()
        asked += 1
        slowest = max(slowest, took)
        if wrong:
            failed.append(wrong)
    print(json.dumps({"asked": asked, "failed": failed, "slowest": slowest}), flush=True)


main()
