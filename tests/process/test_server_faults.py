"""The main server, the database or a worker goes away: clients go on getting 202, and everything is delivered
afterwards."""

import os
import subprocess
import unittest

from support import Load, ProcessTest, port_is_free, wait_until


class ServerFaults(ProcessTest):
    options = {
        "clients": 1, "workers": 2,
        "overrides": {"worker": {"retry_interval_ms": 1000},
                      "server": {"reconcile.interval_ms": 500, "reconcile.grace_ms": 2000}},
    }

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.ensure_running)

    def outage(self, begin, end, during: int = 200) -> None:
        """Load before, during and after an outage: nothing is refused, everything is delivered."""
        with Load(self.stack) as load:
            begin()
            load.wait_for(during)
            end()
            load.wait_for(50)
        self.assertEqual(load.refused, [])
        self.assertEqual(load.unanswered, 0)
        self.assert_delivered(load.accepted)

    def test_server_stopped_in_order(self):
        server = self.stack.programs["server-1"]
        self.outage(lambda: self.assertEqual(server.stop(), 0), server.start)

    def test_server_killed(self):
        server = self.stack.programs["server-1"]
        self.outage(server.kill, server.start)

    def test_server_stalled(self):
        server = self.stack.programs["server-1"].process
        self.outage(server.pause, server.resume)

    def test_database_killed(self):
        self.outage(self.stack.mariadb.kill, self.stack.mariadb.start)

    def test_database_stalled(self):
        database = self.stack.mariadb.process
        self.outage(database.pause, database.resume)

    def test_delivery_goes_on_within_seconds_of_the_servers_return(self):
        server = self.stack.programs["server-1"]
        server.kill()
        client = self.client()
        accepted = {client.send(f"while away {number}").json["id"]: "" for number in range(20)}
        server.start()
        self.assert_delivered(accepted, seconds=5)

    def test_edge_answers_status_from_its_own_buffer_while_the_server_is_away(self):
        client = self.client()
        self.stack.programs["server-1"].kill()
        message_id = client.send("not registered yet").json["id"]
        answer = client.get(f"/api/v1/messages/{message_id}")
        self.assertEqual((answer.status, answer.json["status"]), (200, "queued"), answer.body)

    def test_edge_restarts_without_the_server_but_is_not_ready(self):
        edge, server = self.stack.programs["edge-1"], self.stack.programs["server-1"]
        server.kill()
        edge.stop()
        edge.start(wait=False)
        wait_until(lambda: edge.ops("/readyz")[0] == 503, 10, "an edge that runs and is not ready")
        wait_until(lambda: not port_is_free(self.stack.ports["edge"]), 10, "an edge that listens")
        answer = self.client().send("no data key")
        self.assertEqual(answer.status, 503)
        self.assertIn("retry-after", answer.headers)
        server.start()
        edge.wait_ready()
        self.assertEqual(self.client().send("with a data key").status, 202)

    def test_worker_paused_for_longer_than_the_retry_interval(self):
        worker = self.stack.programs["worker-1"].process
        delivered = self.stack.programs["worker-2"]
        with Load(self.stack) as load:
            worker.pause()
            load.wait_for(200)
            # Messages that the paused worker holds are taken over by the other one: all are delivered while it is away.
            accepted = dict(load.accepted)
            self.assert_delivered(accepted, unknown=100_000)
            self.assertTrue(delivered.ready())
            worker.resume()
            load.wait_for(100)
        self.assert_delivered(load.accepted)
        self.assert_no_text_twice(load)

    def assert_no_text_twice(self, load) -> None:
        """Each accepted text is in the register exactly once: as many rows as there are accepted messages."""
        ids = ", ".join(f"UNHEX('{message_id.replace('-', '')}')" for message_id in load.accepted)
        rows = self.stack.sql(f"SELECT COUNT(*), COUNT(DISTINCT encrypted_body) FROM messages WHERE id IN ({ids})")
        self.assertEqual(rows, [[str(len(load.accepted))] * 2])

    def test_killed_worker_is_replaced_by_the_other(self):
        with Load(self.stack) as load:
            self.stack.programs["worker-1"].kill()
            load.wait_for(100)
        self.assert_delivered(load.accepted)


@unittest.skipUnless(os.geteuid() == 0, "mounts a small file system for the database")
class DatabaseFull(ProcessTest):
    """The database's disk fills up: MariaDB refuses or aborts, and is started again once there is room."""

    options = {"clients": 1, "workers": 1, "overrides": {"worker": {"retry_interval_ms": 1000}}}

    @classmethod
    def before_start(cls) -> None:
        cls.disk = cls.folder / "mariadb"
        cls.disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "postern-test", str(cls.disk)],
                                 capture_output=True, check=False)
        if mounted.returncode != 0:
            raise unittest.SkipTest("may not mount")
        cls.addClassCleanup(subprocess.run, ["umount", "--lazy", str(cls.disk)], check=True)

    def test_full_disk(self):
        filler = self.disk / "filler"
        room = os.statvfs(self.disk)
        with Load(self.stack, padding="😀" * 900) as load:
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - 512 * 1024)
            wait_until(self.disk_is_full, 30, "a full disk")
            load.wait_for(100)
            filler.unlink()
            self.ensure_running()
            load.wait_for(50)
        self.assertEqual((load.refused, load.unanswered), ([], 0))
        self.assert_delivered(load.accepted, seconds=40)
        self.assertEqual(self.stack.sql("SELECT COUNT(*) FROM pending WHERE state = 4"), [["0"]])

    def disk_is_full(self) -> bool:
        """Whether MariaDB has met the end of its disk."""
        log = self.stack.mariadb.process.log.read_text(errors="replace").partition("ready for connections")[2]
        return "full" in log or "disk space" in log or not self.stack.mariadb.process.running()


if __name__ == "__main__":
    unittest.main()
