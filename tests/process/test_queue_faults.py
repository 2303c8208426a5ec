"""Redis goes away, comes back, fills up, forgets everything."""

import unittest

from support import Load, ProcessTest, wait_until


class QueueFaults(ProcessTest):
    options = {
        "clients": 1, "workers": 1,
        "overrides": {"server": {"reconcile.interval_ms": 500, "reconcile.grace_ms": 1000},
                      "worker": {"retry_interval_ms": 1000}},
    }

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.ensure_running)

    def taken(self) -> int:
        """Entries of all shards that a worker has read and not acknowledged."""
        script = ("local n = 0 for s = 0, 15 do "
                  "n = n + redis.call('xpending', 'postern:{' .. s .. '}:messages', 'workers')[1] end return n")
        return int(self.stack.redis.command("eval", script, "0"))

    def assert_refused(self, answer) -> None:
        self.assertEqual((answer.status, answer.json["code"]), (503, "queue-unavailable"), answer.body)
        self.assertGreaterEqual(int(answer.headers["retry-after"]), 1)

    def accept(self, client, count: int) -> dict[str, str]:
        accepted = {}
        for number in range(count):
            answer = client.send(f"message {number}")
            self.assertEqual(answer.status, 202, answer.body)
            accepted[answer.json["id"]] = str(number)
        return accepted

    def test_redis_down_is_503_and_heals_by_itself(self):
        client = self.client()
        accepted = self.accept(client, 5)
        self.stack.redis.kill()
        self.assert_refused(client.send("into the void"))
        self.assertEqual(self.stack.programs["edge-1"].ops("/readyz")[0], 503)
        self.stack.redis.start()
        wait_until(lambda: client.send("back again").status == 202, 5, "the edge to find Redis again")
        wait_until(lambda: self.stack.programs["edge-1"].ready(), 5, "the edge to be ready")
        self.assertEqual(client.opened, 1, "clients keep their connections through the outage")
        self.assert_delivered(accepted, unknown=500)

    def test_redis_killed_under_load_loses_nothing(self):
        with Load(self.stack) as load:
            load.wait_for(100)
            self.stack.redis.kill()
            wait_until(lambda: load.refused, 5, "a refusal")
            self.stack.redis.start()
            load.wait_for(100)
        self.assertEqual(set(load.refused), {503})
        # A request that was refused may have been written: the client cannot know, and may send it again.
        self.assert_delivered(load.accepted, unknown=load.unanswered + len(load.refused))

    def test_restart_with_the_production_acl_keeps_the_backlog(self):
        client = self.client()
        worker, server = self.stack.programs["worker-1"], self.stack.programs["server-1"]
        # The worker takes some at a time that it cannot deliver, and others wait that nobody has read.
        server.stop()
        worker.process.pause()
        accepted = self.accept(client, 30)
        worker.process.resume()
        wait_until(lambda: self.taken() >= 10, 10, "entries in the worker's hand")
        worker.process.pause()
        accepted |= self.accept(client, 10)
        taken = self.taken()
        self.stack.redis.restart()
        # Reading many is replayed as a transaction: with another ACL for `default` Redis drops it in silence.
        self.assertEqual((self.entries(), self.taken()), (40, taken))
        worker.process.resume()
        server.start()
        self.assert_delivered(accepted)
        wait_until(lambda: self.entries() == 0, 5, "an empty queue")

    def test_full_redis_is_503_and_heals_by_itself(self):
        client = self.client()
        accepted = self.accept(client, 3)
        self.stack.redis.command("config", "set", "maxmemory", "1mb")
        self.assert_refused(client.send("no room"))
        self.stack.redis.command("config", "set", "maxmemory", "0")
        wait_until(lambda: client.send("room again").status == 202, 5, "the edge to accept again")
        self.assert_delivered(accepted, unknown=500)

    def test_redis_turned_unsafe_gets_no_more_messages(self):
        client = self.client()
        programs = self.stack.programs.values()
        restricted = "off ~* &* +@all -xclaim".split()
        for unsafe, safe in ((["config", "set", "appendfsync", "everysec"], ["config", "set", "appendfsync", "always"]),
                             (["config", "set", "appendonly", "no"], ["config", "set", "appendonly", "yes"]),
                             (["config", "set", "maxmemory-policy", "allkeys-lru"],
                              ["config", "set", "maxmemory-policy", "noeviction"]),
                             (["acl", "setuser", "default", *restricted], ["acl", "setuser", "default", "+xclaim"])):
            with self.subTest(" ".join(unsafe)):
                self.stack.redis.command(*unsafe)
                wait_until(lambda: client.send("unsafe").status == 503, 5, "a refusal")
                self.assert_refused(client.send("unsafe"))
                for program in programs:
                    wait_until(lambda p=program: p.metric("postern_queue_unsafe") == 1, 5, f"{program.name} to say so")
                self.stack.redis.command(*safe)
                wait_until(lambda: client.send("safe").status == 202, 10, "the edge to accept again")
                for program in programs:
                    wait_until(lambda p=program: p.metric("postern_queue_unsafe") == 0, 5, f"{program.name} to be content")

    def test_unsafe_redis_is_refused_at_start_unless_allowed(self):
        edge = self.stack.programs["edge-1"]
        edge.stop()
        self.stack.redis.command("config", "set", "appendfsync", "everysec")
        self.addCleanup(self.stack.redis.command, "config", "set", "appendfsync", "always")
        edge.start(wait=False)
        self.assertEqual(edge.process.wait_exit(20), 1)
        refusal = edge.process.tail(8)
        self.assertIn("appendfsync is everysec: set it to always", refusal)
        self.assertIn("--allow-unsafe-queue", refusal)
        command = edge.process.command
        self.addCleanup(setattr, edge.process, "command", command)
        edge.process.command = [*command, "--allow-unsafe-queue"]
        edge.start()
        self.assertEqual(self.client().send("on the caller's own risk").status, 202)
        self.assertEqual(edge.metric("postern_queue_unsafe"), 1)
        edge.stop()

    def test_flushed_redis_heals_for_registered_messages(self):
        client = self.client()
        self.assert_delivered(self.accept(client, 1), unknown=500)
        worker = self.stack.programs["worker-1"].process
        worker.pause()
        accepted = self.accept(client, 20)
        wait_until(lambda: self.count("pending") == 20, 10, "all registrations")
        self.stack.redis.command("flushall")
        worker.resume()
        self.assert_delivered(accepted)
        # And the group is there again for what comes next.
        self.assert_delivered(self.accept(client, 5))


if __name__ == "__main__":
    unittest.main()
