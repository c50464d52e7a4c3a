"""attach and exec: the channels of v4.channel.k8s.io and v5.channel.k8s.io over one WebSocket."""
import json
import threading

from .websocket import Closed

STDIN, STDOUT, STDERR, STATUS = 0, 1, 2, 3
CLOSE_CHANNEL = 255


def success():
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def failure(message, code=None):
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
              "reason": "InternalError"}
    if code is not None:
        status["reason"] = "NonZeroExitCode"
        status["details"] = {"causes": [{"reason": "ExitCode", "message": str(code)}]}
    return status


def _send_status(socket, status):
    try:
        socket.send(bytes([STATUS]) + json.dumps(status).encode())
    except Closed:
        pass


def attach(socket, process, protocol, streams, faults):
    """Until the process has ended or the client has gone. `streams`: a set of stdin, stdout, stderr."""
    wanted = {STDOUT} if "stdout" in streams else set()
    wanted |= {STDERR} if "stderr" in streams else set()

    def listener(channel, data):
        if channel in wanted:
            try:
                socket.send(bytes([channel]) + data, pieces=faults.get("pieces", 1))
            except Closed:
                process.detach(listener)

    if protocol.startswith("v4"):
        for channel in sorted(wanted):
            socket.send(bytes([channel]))  # as the real one: an empty message opens each
    process.attach(listener)
    reader = threading.Thread(target=_feed, args=(socket, process, protocol, "stdin" in streams, faults), daemon=True)
    reader.start()
    while socket.open and not process.ended.wait(0.02):
        if "ping" in faults:
            socket.ping(faults.pop("ping"))
        if faults.pop("broken_frame", False):
            socket.break_the_rules()
        faults["pongs"] = socket.pongs
        if faults.pop("cut", False):  # no close frame, no status
            socket.cut()
            break
    else:
        if process.ended.is_set():
            for each in process.readers:
                each.join(2)
            _send_status(socket, success())
            socket.close()
    process.detach(listener)
    socket.open = False
    reader.join(5)  # before the connection is taken apart


def _feed(socket, process, protocol, feeds, faults):
    received = 0
    try:
        while True:
            message = socket.receive()
            if feeds and protocol.startswith("v5") and message == bytes([CLOSE_CHANNEL, STDIN]):
                process.close_stdin()
                feeds = False
            elif feeds and message and message[0] == STDIN:
                received += len(message) - 1
                process.write(message[1:])
                if received >= faults.get("cut_after_input", 1 << 60):
                    socket.cut()
                    raise Closed
    except Closed:
        socket.open = False
        if feeds:  # stdinOnce
            process.close_stdin()


def run(socket, process, command, absent_programs):
    """exec: a command to its end."""
    if command[0] in absent_programs:
        _send_status(socket, failure(f'exec: "{command[0]}": executable file not found in $PATH'))
    else:
        code, out, err = process.exec(command)
        for channel, data in ((STDOUT, out), (STDERR, err)):
            if data:
                socket.send(bytes([channel]) + data)
        ended = success() if code == 0 else failure(f"command terminated with non-zero exit code: {code}", code)
        _send_status(socket, ended)
    socket.close()
