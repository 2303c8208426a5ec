"""Connections without end take all file descriptors that the main server may have: what is connected goes on, and once
they are gone others get in again."""

import resource
import socket
import unittest

from support import Load, ProcessTest, wait_until


class Descriptors(ProcessTest):
    options = {"clients": 1, "overrides": {"worker": {"retry_interval_ms": 1000}}}

    def setUp(self) -> None:
        super().setUp()
        self.server = self.stack.programs["server-1"]
        self.pid = self.server.process.pid
        self.limits = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        self.addCleanup(resource.prlimit, self.pid, resource.RLIMIT_NOFILE, self.limits)
        self.sockets: list[socket.socket] = []
        self.addCleanup(self.disconnect)

    def disconnect(self) -> None:
        while self.sockets:
            self.sockets.pop().close()

    def exhaust(self) -> None:
        """Connects, without a word, until the server says that it cannot accept."""
        log = self.server.process.log
        seen = log.stat().st_size
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (128, self.limits[1]))
        for _ in range(200):
            self.sockets.append(socket.create_connection(("127.0.0.1", self.stack.ports["server"]), timeout=5))
        wait_until(lambda: b"rpc_accept_failed" in log.read_bytes()[seen:], 10, "the want of descriptors")

    def test_what_is_connected_goes_on_and_others_get_in_afterwards(self):
        with Load(self.stack) as load:
            self.exhaust()
            load.wait_for(50)
        self.assertEqual(load.refused, [])
        self.assert_delivered(load.accepted)
        self.disconnect()
        # A new connection, with a handshake.
        wait_until(lambda: self.stack.ctl("ledger", check=False).returncode == 0, 10, "a new connection")
        self.assertGreater(self.server.metric("postern_rpc_accept_errors_total"), 0)

    def test_a_worker_that_was_kept_out_delivers_afterwards(self):
        worker = self.stack.programs["worker-1"]
        worker.kill()
        self.exhaust()
        worker.start(wait=False)
        client = self.client()
        accepted = {client.send(f"while the port is full {number}").json["id"]: "" for number in range(20)}
        self.disconnect()
        self.assert_delivered(accepted, seconds=20)


if __name__ == "__main__":
    unittest.main()
