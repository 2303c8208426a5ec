"""Clients that mean harm, in bytes: what the edge's answer to a case was, and connections that are slow on purpose."""

import contextlib
import os
import selectors
import socket
import ssl
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "process"))

from framing_cases import Case  # noqa: E402
from support import raw_connection, read_answer, tls_context  # noqa: E402

# Of one kind, each tenth of a second: until there are as many as there shall be, and from then on.
_OPENED_FIRST = 30
_OPENED_LATER = 3
_TRICKLE_S = 0.5
_UNREAD_BYTES_MAX = 16 * 1024 * 1024

_SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"


def fault_of(stack, leaf, case: Case, in_pieces: bool = False) -> str:
    """What is wrong with the edge's reaction to a case that another request follows; empty when nothing is."""
    with raw_connection(stack, leaf) as connection:
        try:
            _send(connection, case.content + _SMUGGLED, in_pieces)
            answer = read_answer(connection)
        except (OSError, ValueError) as error:
            return f"no answer: {error!r}"
        if answer.status != case.status:
            return f"status {answer.status}, want {case.status}"
        if answer.headers.get("connection") != "close":
            return "the answer does not say that the connection ends"
        if answer.headers.get("content-type") != "application/problem+json":
            return "the answer is no problem document"
        return "" if _is_closed(connection) else "the connection stays open, or something came after the answer"


def _send(connection: ssl.SSLSocket, content: bytes, in_pieces: bool) -> None:
    # Answered and closed before everything was sent: what counts is the answer.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
        if not in_pieces:
            connection.sendall(content)
            return
        for begin in range(0, min(len(content), 400), 7):
            connection.sendall(content[begin:min(begin + 7, 400)])
        connection.sendall(content[400:])


def _is_closed(connection: ssl.SSLSocket) -> bool:
    try:
        return connection.recv(1) == b""
    except socket.timeout:
        return False
    except OSError:
        return True


class SlowClients:
    """Many connections of one kind that do as little as they can, each until the edge ends it, then again.

    `kind`: connect (says nothing), hello (half a TLS handshake, byte by byte), idle (handshake, then silence), header and body (a request,
    byte by byte), read (asks without pause and reads nothing), announce (a body that never comes).
    """

    KINDS = ("connect", "hello", "idle", "header", "body", "read", "announce")

    def __init__(self, stack, leaf, kind: str, count: int):
        self._address = ("127.0.0.1", stack.ports["edge"])
        self._context = tls_context(stack, leaf)
        self._kind = kind
        self._count = count
        self._open: dict[socket.socket, tuple[float, int]] = {}  # Since when, bytes sent.
        self._selector = selectors.DefaultSelector()
        self._next_opening = 0.0
        self._next_trickle = 0.0
        self.opened = 0
        self.ended = 0
        self.longest_s = 0.0

    def run(self, seconds: float) -> None:
        """Keeps the connections open, and busy doing nothing, for so long. On a thread of its own: it takes only processor time that
        nobody else wants, since attackers bring their own machine."""
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._open_some()
            self._work()

    def wait_ended(self, seconds: float) -> bool:
        """Opens no more; true when the edge ends all that are left within so long."""
        until = time.monotonic() + seconds
        while self._open and time.monotonic() < until:
            self._work()
        return not self._open

    def close(self) -> None:
        """Ends what is left."""
        for connection in list(self._open):
            self._forget(connection)

    def _open_some(self) -> None:
        """A few more each tenth of a second: the point is how long they stay, not how fast they come."""
        if time.monotonic() < self._next_opening:
            return
        self._next_opening = time.monotonic() + 0.1
        at_once = _OPENED_FIRST if self.opened < self._count else _OPENED_LATER
        for _ in range(min(at_once, self._count - len(self._open))):
            self._begin()

    def _work(self) -> None:
        """A tenth of a second: looks who was ended, and now and then sends what is due."""
        self._reap(0.05)
        time.sleep(0.05)
        if time.monotonic() >= self._next_trickle:
            self._next_trickle = time.monotonic() + _TRICKLE_S
            self._trickle()

    def _begin(self) -> None:
        plain = socket.socket()
        if self._kind == "read":
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(5)
        try:
            plain.connect(self._address)
            connection = plain
            if self._kind not in ("connect", "hello"):
                connection = self._context.wrap_socket(plain, server_hostname="localhost")
        except OSError:
            plain.close()
            return
        connection.setblocking(False)
        self.opened += 1
        self._open[connection] = (time.monotonic(), 0)
        # Who reads nothing learns of the end only by what it cannot send.
        if self._kind != "read":
            self._selector.register(connection, selectors.EVENT_READ)

    def _trickle(self) -> None:
        for connection, (since, sent) in list(self._open.items()):
            try:
                taken = self._step(connection, time.monotonic() - since, sent)
            except (ssl.SSLWantWriteError, BlockingIOError):
                continue
            except OSError:
                self._end(connection)
                continue
            self._open[connection] = (since, sent + taken)

    def _step(self, connection, age: float, sent: int) -> int:
        """Sends what is due; how many bytes."""
        if self._kind == "read":
            # Until the edge takes no more, since its answers are not taken.
            taken = 0
            while taken < _UNREAD_BYTES_MAX:
                taken += connection.send(_SMUGGLED * 400)
            return taken
        content = {"hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500,
                   "header": b"POST /api/v1/messages HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 16000,
                   "body": b"POST /api/v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n" + b"a" * 60000,
                   "announce": b"POST /api/v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n"}.get(self._kind)
        if content is None:
            return 0
        # The header of a slow body at once; then two bytes a second.
        begin = content.find(b"\r\n\r\n") + 4 if self._kind in ("body", "announce") else 1
        due = min(len(content), begin + int(age / _TRICKLE_S)) if self._kind != "announce" else len(content)
        return connection.send(content[sent:due]) if due > sent else 0

    def _reap(self, seconds: float) -> None:
        if self._kind == "read":
            time.sleep(seconds)
            return
        for key, _ in self._selector.select(seconds):
            try:
                while key.fileobj.recv(4096):
                    pass
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
            except OSError:
                pass
            self._end(key.fileobj)

    def _end(self, connection) -> None:
        self.ended += 1
        self.longest_s = max(self.longest_s, time.monotonic() - self._open[connection][0])
        self._forget(connection)

    def _forget(self, connection) -> None:
        del self._open[connection]
        if self._kind != "read":
            self._selector.unregister(connection)
        connection.close()
