"""Connections as a peer of Postern has them, held by hand: what happens to them is what the revocation commands measure."""

import socket
import ssl
import time
from pathlib import Path

from stack import Leaf

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_HEADERS, _DATA = 1, 0
_END_STREAM, _END_HEADERS = 1, 4


def context(root: Path, leaf: Leaf, version: ssl.TLSVersion | None = None, h2: bool = False) -> ssl.SSLContext:
    """A client's: trusts `root`, shows `leaf`. One for a connection and its resumption."""
    made = ssl.create_default_context(cafile=str(root))
    made.load_cert_chain(leaf.certificate, leaf.key)
    if version is not None:
        made.minimum_version = made.maximum_version = version
    if h2:
        made.check_hostname = False
        made.set_alpn_protocols(["h2"])
    return made


def connect(port: int, tls: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
    """A TLS connection to a port of this machine. OSError when it is refused."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=5)
    try:
        return tls.wrap_socket(plain, server_hostname="localhost", session=session)
    except BaseException:
        plain.close()
        raise


def rest_request(connection: ssl.SSLSocket) -> bool:
    """Whether a request is answered."""
    try:
        connection.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\n\r\n")
        return connection.recv(65536).startswith(b"HTTP/1.1 ")
    except OSError:
        return False


def grpc_hello(connection: ssl.SSLSocket) -> bool:
    """Whether the server speaks HTTP/2 to this peer: it does once it has let the certificate in."""
    try:
        connection.sendall(_PREFACE)
        return _read_frame(connection) is not None
    except OSError:
        return False


def _read_frame(connection: ssl.SSLSocket) -> int | None:
    """The kind of the next frame, which is read whole; None at the end."""
    def exactly(size: int) -> bytes | None:
        received = b""
        while len(received) < size:
            more = connection.recv(size - len(received))
            if not more:
                return None
            received += more
        return received

    head = exactly(9)
    if head is None or exactly(int.from_bytes(head[:3], "big")) is None:
        return None
    return head[3]


def _literal(name: str, value: str) -> bytes:
    """A header field as HPACK writes it without tables (RFC 7541, 6.2.2); shorter than 127 bytes."""
    return b"\x00" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))


def _frame(kind: int, flags: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + (1).to_bytes(4, "big") + body


def grpc_watch(connection: ssl.SSLSocket) -> bool:
    """Begins a call that goes on for ever (the health service's Watch); whether an answer came."""
    fields = [(":method", "POST"), (":scheme", "https"), (":path", "/grpc.health.v1.Health/Watch"),
              (":authority", "localhost"), ("content-type", "application/grpc"), ("te", "trailers")]
    call = _frame(_HEADERS, _END_HEADERS, b"".join(_literal(*field) for field in fields))
    call += _frame(_DATA, _END_STREAM, bytes(5))
    try:
        connection.sendall(call)
        while (kind := _read_frame(connection)) != _DATA:
            if kind is None:
                return False
        return True
    except OSError:
        return False


def wait_closed(connection: ssl.SSLSocket, seconds: float) -> float | None:
    """When the other side ended it (monotonic clock); None when it does not in time. What it still sends is read."""
    end = time.monotonic() + seconds
    while (rest := end - time.monotonic()) > 0:
        connection.settimeout(rest)
        try:
            if connection.recv(65536) == b"":
                return time.monotonic()
        except TimeoutError:
            return None
        except OSError:
            return time.monotonic()
    return None


def close(connection: ssl.SSLSocket | None) -> None:
    """Closes it, whatever its state."""
    if connection is not None:
        try:
            connection.close()
        except OSError:
            pass
