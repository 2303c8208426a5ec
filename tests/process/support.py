"""What the process tests share: a stack per class, an mTLS client, load, and the questions they ask the register."""

import http.client
import json
import os
import platform
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deployment" / "local"))

from stack import (ROOT, Authority, Leaf, Process, ProcessError, Stack, free_port, port_is_free,  # noqa: E402, F401
                   wait_until)
from programs import write_yaml  # noqa: E402, F401

BUILD = Path(os.environ.get("POSTERN_BUILD") or Path(__file__).resolve().parents[2] / "build" / "dev")
NUMBER = "+14155550123"
# Speaks gRPC from the command line.
BUF = (ROOT / "tests" / "lint" / "node_modules" / "@bufbuild"
       / f"buf-linux-{'aarch64' if platform.machine() == 'aarch64' else 'x64'}" / "bin" / "buf")

# Two stacks at a time, also with sanitizers: no program yields to those of another test.
Process.scheduled = False

# What a sanitizer prints into a program's log.
_SANITIZER = ("ERROR: AddressSanitizer", "runtime error:", "ERROR: LeakSanitizer")


class ProcessTest(unittest.TestCase):
    """A test with a stack of its own per class. `options` are those of Stack."""

    options: dict = {}
    stack: Stack

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="postern-"))
        cls.stack = Stack(cls.folder, build=BUILD, **cls.options)
        try:
            cls.before_start()
            cls.stack.start()
        except BaseException:
            shutil.rmtree(cls.folder, ignore_errors=True)
            raise

    @classmethod
    def before_start(cls) -> None:
        """For tests that need something in `folder` first."""

    @classmethod
    def tearDownClass(cls) -> None:
        try:
            codes = cls.stack.stop()
            found = [f"{process.name}: {mark}{process.tail(60)}" for process in cls.stack.processes()
                     for mark in _SANITIZER if mark in process.log.read_text(errors="replace")]
            if found:
                raise AssertionError("\n".join(found))
            bad = {name: code for name, code in codes.items() if code not in (0, None)}
            if bad:
                tails = "".join(p.tail() for p in cls.stack.processes() if p.name in bad)
                raise AssertionError(f"exit codes {bad}{tails}")
        finally:
            cls.stack.kill()
            shutil.rmtree(cls.folder, ignore_errors=True)

    def run(self, result=None):
        """As always; shows the ends of the programs' logs after a failure."""
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            for program in self.stack.programs.values():
                print(program.process.tail(8), file=sys.stderr)
        return result

    def client(self, client_id: str = "client-00") -> "Client":
        """A client that is closed when the test ends."""
        client = Client(self.stack, self.stack.clients[client_id])
        self.addCleanup(client.close)
        return client

    def ensure_running(self) -> None:
        """Starts again what a test left stopped, so that the next one does not suffer."""
        for store in (self.stack.redis, self.stack.mariadb):
            store.process.resume()
            if not store.process.running():
                store.start()
        for program in self.stack.programs.values():
            program.process.resume()
            if not program.process.running():
                program.start(wait=False)
        for program in self.stack.programs.values():
            program.wait_ready()

    def assert_delivered(self, accepted: dict[str, str], unknown: int = 0, seconds: float = 20) -> None:
        """Waits until every accepted message is in the register, delivered, once. `unknown`: so many more may be
        there, sent by requests that got no answer."""
        wanted = {uuid.UUID(message_id).hex for message_id in accepted}

        def missing() -> set[str]:
            return wanted - self.ids("messages")

        try:
            wait_until(lambda: not missing(), seconds, "deliveries")
        except ProcessError:
            self.fail(f"{len(missing())} of {len(wanted)} accepted messages were not delivered in {seconds:g} s")
        wait_until(lambda: not wanted & self.ids("pending"), seconds, "delivered messages to be pending no more")
        extra = self.ids("messages") - self.seen - wanted
        self.assertLessEqual(len(extra), unknown, "messages that nobody sent, or under a second id")
        self.seen.update(wanted, extra)

    def setUp(self) -> None:
        self.settle()

    def settle(self) -> None:
        """Waits until everything sent so far is delivered; what is in the register then counts as seen."""
        wait_until(lambda: self.entries() == 0 and self.count("pending") == 0, 30, "the end of earlier messages")
        self.seen = self.ids("messages")

    def entries(self) -> int:
        """Entries in all shards of the queue."""
        script = "local n = 0 for s = 0, 15 do n = n + redis.call('xlen', 'postern:{' .. s .. '}:messages') end return n"
        return int(self.stack.redis.command("eval", script, "0"))

    def ids(self, table: str) -> set[str]:
        """Ids in a table, 32 hexadecimal digits each."""
        return {row[0] for row in self.stack.sql(f"SELECT LOWER(HEX(id)) FROM {table}")}

    def count(self, table: str) -> int:
        """Rows of a table."""
        return int(self.stack.sql(f"SELECT COUNT(*) FROM {table}")[0][0])


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def pointers(self) -> set[str]:
        """Where the violations of a problem are."""
        return {error["pointer"] for error in self.json.get("errors", [])}


def tls_context(stack: Stack, leaf: Leaf | None) -> ssl.SSLContext:
    """A client's context: trusts the root, shows `leaf`."""
    context = ssl.create_default_context(cafile=str(stack.root_ca))
    if leaf is not None:
        context.load_cert_chain(leaf.certificate, leaf.key)
    return context


class Client:
    """One keep-alive connection to the edge over mutual TLS, opened when needed. `opened` counts how often. `port`: by its name
    in the stack."""

    def __init__(self, stack: Stack, leaf: Leaf | None, timeout: float = 10, port: str = "edge"):
        self._port = stack.ports[port]
        self._context = tls_context(stack, leaf)
        self._timeout = timeout
        self._connection: http.client.HTTPSConnection | None = None
        self.opened = 0

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict | None = None) -> Answer:
        """Sends one request and reads its answer. OSError or HTTPException when the connection fails; the next
        request opens a new one."""
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                "localhost", self._port, timeout=self._timeout, context=self._context)
            self._connection.connect()
            self.opened += 1
        try:
            self._connection.request(method, path, body, headers or {})
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.will_close:
            self.close()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)

    def post(self, body, headers: dict | None = None) -> Answer:
        """Posts a message: an object, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", "/api/v1/messages", content,
                            {"Content-Type": "application/json"} | (headers or {}))

    def send(self, text: str) -> Answer:
        """Posts a message with this body text."""
        return self.post({"sender_number": NUMBER, "message_body": text})

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def raw_connection(stack: Stack, leaf: Leaf | None, timeout: float = 10) -> ssl.SSLSocket:
    """A TLS connection to the edge, for bytes that no HTTP client would send."""
    plain = socket.create_connection(("127.0.0.1", stack.ports["edge"]), timeout=timeout)
    return tls_context(stack, leaf).wrap_socket(plain, server_hostname="localhost")


def read_answer(connection: ssl.SSLSocket) -> Answer:
    """One answer from a raw connection."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    body = response.read()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


@dataclass
class Load:
    """Clients that send without pause until stopped; each message has a text of its own."""

    stack: Stack
    threads: int = 4
    padding: str = ""  # Goes to the end of each text.
    accepted: dict[str, str] = field(default_factory=dict)  # Id to text.
    refused: list[int] = field(default_factory=list)  # Status codes other than 202.
    unanswered: int = 0

    def __enter__(self) -> "Load":
        self._stop = threading.Event()
        self._workers = [threading.Thread(target=self._send, daemon=True) for _ in range(self.threads)]
        for worker in self._workers:
            worker.start()
        self.wait_for(10)
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        for worker in self._workers:
            worker.join()

    def wait_for(self, more: int, seconds: float = 15) -> None:
        """Returns once so many more messages were accepted."""
        target = len(self.accepted) + more
        wait_until(lambda: len(self.accepted) >= target, seconds, f"{more} more accepted messages")

    def _send(self) -> None:
        client = Client(self.stack, next(iter(self.stack.clients.values())))
        while not self._stop.is_set():
            text = f"load {secrets.token_hex(8)} {self.padding}".rstrip()
            try:
                answer = client.send(text)
            except ConnectionRefusedError:
                time.sleep(0.02)
                continue
            except (OSError, http.client.HTTPException):
                self.unanswered += 1
                time.sleep(0.02)
                continue
            if answer.status == 202:
                self.accepted[answer.json["id"]] = text
                # Room for the programs under test: they share the machine with this loop.
                time.sleep(0.005)
            else:
                self.refused.append(answer.status)
                time.sleep(0.05)
        client.close()


def expired_certificate(authority: Authority, issuer: str, leaf: Leaf) -> Leaf:
    """The same subject, key and names as `leaf`, by the same CA, valid for one day in 2020."""
    folder = leaf.certificate.parent
    expired = Leaf(folder / f"{leaf.certificate.stem}-expired.pem", leaf.key)
    config = folder / "expired.cnf"
    (folder / "index.txt").write_text("")
    config.write_text(
        f"[ca]\ndefault_ca = it\n[it]\ndatabase = {folder}/index.txt\nnew_certs_dir = {folder}\nrand_serial = yes\n"
        "default_md = sha256\npolicy = any\nunique_subject = no\ncopy_extensions = copy\n"
        "[any]\norganizationName = optional\ncommonName = supplied\n")
    request = folder / "expired.csr"
    ca = authority.issuer(issuer)
    for command in (
            ["openssl", "x509", "-x509toreq", "-copy_extensions", "copy", "-in", leaf.certificate,
             "-signkey", leaf.key, "-out", request],
            ["openssl", "ca", "-batch", "-notext", "-config", config, "-in", request, "-out", expired.certificate,
             "-cert", ca.certificate, "-keyfile", ca.key, "-passin", f"file:{authority.passphrase}", "-startdate", "20200101000000Z",
             "-enddate", "20200102000000Z"]):
        subprocess.run([str(word) for word in command], check=True, capture_output=True)
    with expired.certificate.open("a") as chain:
        chain.write(ca.certificate.read_text())
    return expired


def answers(stack: Stack, leaf: Leaf) -> bool:
    """Whether the edge lets this certificate in."""
    client = Client(stack, leaf)
    try:
        return client.get("/api/v1/health").status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()
