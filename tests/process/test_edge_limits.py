"""Hostile bytes and used-up limits on real programs: framing, file descriptors, and the tool that attacks an edge."""

import http.client
import json
import os
import resource
import socket
import subprocess
import sys
import unittest
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "security"))

from framing_cases import FRAMING, LIMITS
from hostile import fault_of
from support import BUILD, ProcessTest, raw_connection, wait_until

HTTP_TOOL = Path(__file__).resolve().parents[1] / "security" / "http"


def allow_descriptors(pid: int, more: int) -> None:
    """The process may open `more` file descriptors beside those that it has now."""
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    # A limit is about numbers, and the lowest free one is taken next: what is open above it stays open.
    free = [number for number in range(len(used) + more + 1) if number not in used]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free[more], resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))


@contextmanager
def no_more_descriptors(pid: int, more: int = 0):
    """The process may have no more file descriptors than it has, and `more`; as many as before at the end."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    allow_descriptors(pid, more)
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def silent_without_descriptors(program) -> bool:
    """Whether the program's operations port is silent once it has no file descriptor left, those given back meanwhile included."""
    allow_descriptors(program.process.pid, 0)
    return program.ops("/livez")[0] == 0


class EdgeLimits(ProcessTest):
    options = {"clients": 2, "workers": 1}

    def test_framing(self):
        leaf = self.stack.clients["client-00"]
        for case in FRAMING + LIMITS:
            with self.subTest(case.name):
                self.assertEqual(fault_of(self.stack, leaf, case), "")
        self.assertEqual(self.ids("messages") - self.seen, set(), "nothing refused is in the register")

    def served(self, client) -> bool:
        try:
            return client.send("hello").status == 202
        except (OSError, http.client.HTTPException):
            return False

    def test_edge_without_file_descriptors(self):
        edge = self.stack.programs["edge-1"]
        steady, leaf = self.client(), self.stack.clients["client-00"]
        self.assertTrue(self.served(steady))
        with no_more_descriptors(edge.process.pid, more=8), ExitStack() as opened:
            # Proper clients, until there is room for none.
            for _ in range(64):
                try:
                    connection = opened.enter_context(raw_connection(self.stack, leaf, timeout=1))
                    connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
                    connection.recv(1)
                except OSError:
                    break
            else:
                self.fail("the edge had file descriptors left")
            self.assertTrue(self.served(steady), "who is in is served")
            self.assertEqual(edge.ops("/livez")[0], 0, "the operations port has none either")
            opened.close()
            wait_until(lambda: self.served(self.client("client-01")), 10, "the client port to accept again")
            wait_until(lambda: edge.ops("/livez")[0] == 200, 10, "the operations port to answer again")
            self.assertGreater(edge.metric("postern_http_accept_pauses_total", 'reason="error"'), 0)

    def test_strangers_that_hold_every_file_descriptor(self):
        edge = self.stack.programs["edge-1"]
        with no_more_descriptors(edge.process.pid, more=8), ExitStack() as opened:
            for _ in range(40):
                opened.enter_context(socket.create_connection(("127.0.0.1", self.stack.ports["edge"])))
            wait_until(lambda: self.served(self.client("client-01")), 10, "a client to be served beside strangers")

    def test_operations_ports_without_file_descriptors(self):
        for program in self.stack.programs.values():
            with self.subTest(program.name):
                self.assertEqual(program.ops("/livez")[0], 200)
                with no_more_descriptors(program.process.pid):
                    wait_until(lambda: silent_without_descriptors(program), 10, "the file descriptors to run out")
                wait_until(lambda: program.ops("/livez")[0] == 200, 10, f"{program.name} to answer again")
                with ExitStack() as opened:
                    for _ in range(200):
                        opened.enter_context(socket.create_connection(("127.0.0.1", program.ops_port)))
                    self.assertEqual(program.ops("/livez")[0], 200, "beside connections that say nothing")

    def test_the_tool_that_attacks_an_edge(self):
        done = subprocess.run([str(HTTP_TOOL), "--json", "--build", str(BUILD), "--rounds", "1", "--seconds", "6", "--rate", "50"],
                              capture_output=True, text=True, timeout=200, check=False)
        figures = json.loads(done.stdout or "{}")
        self.assertEqual(figures.get("failed"), 0, done.stderr)
        self.assertGreater(figures["cases"], 2 * len(FRAMING))


if __name__ == "__main__":
    unittest.main()
