"""The server's side of RFC 6455, as little as channels need: binary messages, ping, close."""
import base64
import hashlib
import select
import socket
import ssl
import struct
import threading

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Closed(Exception):
    pass


def accept_key(key):
    return base64.b64encode(hashlib.sha1(key.encode() + MAGIC).digest()).decode()


class WebSocket:
    """One thread reads, others write: under one lock, for a TLS object is not made for two at once. The client
    sends nothing before the handshake is answered, so nothing is in anybody's buffer yet."""

    def __init__(self, connection):
        self.connection = connection
        self.lock = threading.Lock()
        self.open = True
        self.unread = b""
        self.pongs = []  # what the client's pongs carried

    def _more(self):
        if not self.connection.pending():
            select.select([self.connection], [], [], 0.05)
        if not self.open:
            raise Closed
        with self.lock:
            self.connection.settimeout(0)
            try:
                data = self.connection.recv(65536)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except (OSError, ValueError) as error:
                raise Closed from error
            finally:
                self.connection.settimeout(None)
        if not data:
            raise Closed
        self.unread += data

    def _exactly(self, count):
        while len(self.unread) < count:
            self._more()
        data, self.unread = self.unread[:count], self.unread[count:]
        return data

    def _frame(self):
        first, second = self._exactly(2)
        length = second & 0x7F
        if length == 126:
            length = struct.unpack(">H", self._exactly(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self._exactly(8))[0]
        assert second & 0x80, "a client's frame is masked"
        mask = self._exactly(4)
        data = self._exactly(length)
        stream = (mask * (length // 4 + 1))[:length]
        return first & 0x80, first & 0x0F, (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(
            length, "big") if length else b""

    def receive(self):
        """The next whole message; raises Closed."""
        message = b""
        while True:
            try:
                final, kind, data = self._frame()
            except (OSError, ValueError) as error:
                raise Closed from error
            if kind == CLOSE:
                self.close()
                raise Closed
            if kind == PING:
                self._send(PONG, data)
                continue
            if kind == PONG:
                self.pongs.append(data)
                continue
            message += data
            if final:
                return message

    def _send(self, kind, data, final=True):
        head = bytes([(0x80 if final else 0) | kind])
        if len(data) < 126:
            head += bytes([len(data)])
        elif len(data) < 65536:
            head += bytes([126]) + struct.pack(">H", len(data))
        else:
            head += bytes([127]) + struct.pack(">Q", len(data))
        with self.lock:
            try:
                self.connection.sendall(head + data)
            except OSError as error:
                self.open = False
                raise Closed from error

    def send(self, data, pieces=1):
        """One message, in `pieces` frames."""
        size = max(1, -(-len(data) // pieces))
        parts = [data[at:at + size] for at in range(0, len(data), size)] or [b""]
        for number, part in enumerate(parts):
            self._send(BINARY if number == 0 else CONTINUATION, part, final=number == len(parts) - 1)

    def ping(self, data):
        self._send(PING, data)

    def break_the_rules(self):
        """A frame with a reserved bit, which no extension gave a meaning."""
        with self.lock:
            self.connection.sendall(b"\xc2\x01x")

    def cut(self):
        """As when a proxy between goes away."""
        self.open = False
        try:
            socket.socket.shutdown(self.connection, socket.SHUT_RDWR)  # under TLS
        except OSError:
            pass

    def close(self):
        if self.open:
            self.open = False
            try:
                self._send(CLOSE, struct.pack(">H", 1000))
            except Closed:
                pass
