"""The queue loses what it held, in every way there is: each registered message is delivered all the same, without a restart of anything."""

import shutil
import unittest

from support import ProcessTest, free_port, wait_until

STREAMS = "for s = 0, 15 do local key = 'postern:{' .. s .. '}:messages' %s end"
# Puts an entry back with a flipped bit in its middle, which is ciphertext when the body is long.
ALTER = """
local entry = redis.call('xrange', KEYS[1], '-', '+')[1]
local content = entry[2][2]
local middle = math.floor(#content / 2)
local byte = string.byte(content, middle)
local flipped = byte % 2 == 0 and byte + 1 or byte - 1
content = string.sub(content, 1, middle - 1) .. string.char(flipped) .. string.sub(content, middle + 1)
redis.call('xdel', KEYS[1], entry[1])
return redis.call('xadd', KEYS[1], '*', entry[2][1], content)
"""


class QueueTest(ProcessTest):
    options = {
        "clients": 1, "workers": 1,
        "overrides": {"server": {"reconcile.interval_ms": 500, "reconcile.grace_ms": 1000},
                      "worker": {"retry_interval_ms": 1000}},
    }

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.ensure_running)
        self.server, self.worker = self.stack.programs["server-1"], self.stack.programs["worker-1"].process
        self.requeued = self.server.metric("postern_reconciler_requeued_total")

    def pause_worker(self) -> None:
        """It reads nothing from now on, not even by the read that it was waiting in."""
        self.worker.pause()
        wait_until(lambda: self.stack.redis.info("clients")["blocked_clients"] == "0", 5, "the last read to end")

    def accept(self, count: int) -> dict[str, str]:
        """Accepted and registered."""
        client = self.client()
        pending = self.count("pending")
        accepted = {}
        for number in range(count):
            answer = client.send(f"message {number}")
            self.assertEqual(answer.status, 202, answer.body)
            accepted[answer.json["id"]] = str(number)
        wait_until(lambda: self.count("pending") == pending + count, 10, "all registrations")
        return accepted

    def every_stream(self, what: str) -> None:
        self.stack.redis.command("eval", STREAMS % what, "0")

    def assert_closed(self) -> None:
        def closed() -> bool:
            figures = self.stack.ctl_json("ledger")
            return figures["closed"] and int(figures["gap"]) == 0 and int(figures["queued_entries"]) == 0
        wait_until(closed, 20, "the ledger to close")

    def assert_requeued(self, count: int) -> None:
        """Not more than once each. Not counted is what was delivered before the reconciler had written down its entry."""
        def requeued() -> float:
            return self.server.metric("postern_reconciler_requeued_total") - self.requeued
        # Counted at the end of a run, when messages may be delivered already.
        wait_until(lambda: requeued() >= min(count, 1), 5, "the reconciler's count")
        self.assertLessEqual(requeued(), count)


class WipedQueue(QueueTest):
    def test_deleted_entries(self):
        self.pause_worker()
        accepted = self.accept(20)
        self.every_stream("redis.call('xtrim', key, 'maxlen', 0)")
        self.worker.resume()
        self.assert_delivered(accepted)
        self.assert_requeued(20)
        self.assert_closed()

    def test_lost_consumer_groups(self):
        self.pause_worker()
        accepted = self.accept(20)
        self.every_stream("redis.call('xgroup', 'destroy', key, 'workers')")
        self.worker.resume()
        self.assert_delivered(accepted)
        self.assert_requeued(0)

    def test_entries_that_were_read_and_that_nobody_holds(self):
        self.pause_worker()
        accepted = self.accept(20)
        self.every_stream("redis.call('xreadgroup', 'group', 'workers', 'ghost', 'streams', key, '>') "
                          "redis.call('xgroup', 'delconsumer', key, 'workers', 'ghost')")
        self.worker.resume()
        self.assert_delivered(accepted)
        self.assert_requeued(0)
        self.assertGreaterEqual(self.server.metric("postern_reconciler_unheld_total"), 20)

    def test_operators_see_and_heal_it(self):
        self.pause_worker()
        accepted = self.accept(5)
        self.stack.redis.command("flushall")
        wait_until(lambda: self.entries() == 5, 10, "the entries")
        shards = self.stack.ctl_json("queue", "status")["shards"]
        self.assertEqual(sum(int(shard["entries"]) for shard in shards), 5)
        self.assertFalse(self.stack.ctl_json("queue", "status")["unsafe_settings"])
        self.every_stream("redis.call('xtrim', key, 'maxlen', 0)")
        # The server heals by itself as well: the two together put back each message once.
        self.stack.ctl_json("queue", "reconcile", "--dry-run")
        self.stack.ctl_json("queue", "reconcile")
        self.assertEqual(self.entries(), 5)
        self.assertEqual(int(self.stack.ctl_json("queue", "reconcile", "--dry-run")["requeued"]), 0)
        self.worker.resume()
        self.assert_delivered(accepted)

    def test_another_server_takes_over(self):
        stack = self.stack
        stack.authority.issue("server", "server-2")
        second = stack._program("server", "server-2")
        second.ops_port = free_port()
        second.config |= {"ops.port": second.ops_port, "listen.port": free_port()}
        stack.programs["server-2"] = second
        self.pause_worker()
        accepted = self.accept(30)
        second.start()
        wait_until(lambda: self.server.metric("postern_reconciler_leader") == 1, 10, "the first server to lead")
        # It stands still while it holds the lease, and goes on as if it still did.
        self.server.process.pause()
        stack.redis.command("flushall")
        wait_until(lambda: self.entries() == 30, 40, "the second server to put all back")
        self.server.process.resume()
        self.worker.resume()
        self.assert_delivered(accepted)
        wait_until(lambda: self.entries() == 0, 10, "an empty queue")
        self.assertEqual(second.metric("postern_reconciler_requeued_total"), 30)
        self.assert_requeued(0)
        second.stop()
        del stack.programs["server-2"]


class OlderData(QueueTest):
    def test_older_data_restored(self):
        redis = self.stack.redis
        self.pause_worker()
        accepted = self.accept(10)
        backup = self.folder / "appendonly-backup"
        shutil.copytree(redis.data / "appendonlydir", backup)
        accepted |= self.accept(10)
        total = len(self.ids("messages")) + 20
        wait_until(lambda: int(self.stack.ctl_json("ledger")["accepted"]) == total, 10, "the ledger to count all")
        redis.kill()
        shutil.rmtree(redis.data / "appendonlydir")
        shutil.move(backup, redis.data / "appendonlydir")
        redis.start()
        self.worker.resume()
        self.assert_delivered(accepted)
        self.assert_requeued(10)
        self.assert_closed()
        self.assertEqual(int(self.stack.ctl_json("ledger")["accepted"]), total)


class DeadLetters(QueueTest):
    # The entry put there by hand leaves the ledger open: a stack of its own.
    def test_dead_letters_are_listed_by_reason_and_come_back(self):
        self.pause_worker()
        client = self.client()
        message_id = client.send("x" * 1000).json["id"]
        wait_until(lambda: self.count("pending") == 1, 10, "the registration")
        key = self.stack.redis.command("eval", STREAMS % "if redis.call('xlen', key) == 1 then return key end", "0")
        # As if it had been altered in its place: else the server would put the whole one back beside it.
        self.server.process.pause()
        altered = self.stack.redis.command("eval", ALTER, "1", key)
        self.stack.sql(f"UPDATE pending SET entry_id = '{altered}'")
        self.server.process.resume()
        self.worker.resume()
        wait_until(lambda: self.stack.ctl_json("message", "get", message_id)["state"] == "MESSAGE_STATE_DEAD", 20,
                   "the dead letter")
        groups = self.stack.ctl_json("dead", "list")["groups"]
        self.assertEqual([(group["reason"], group["count"]) for group in groups], [("AUTHENTICATION_FAILED", "1")])
        listed = self.stack.ctl_json("dead", "list", "--messages", "--reason", "AUTHENTICATION_FAILED")["messages"]
        self.assertEqual([message["id"] for message in listed], [message_id])
        self.assertIn("AUTHENTICATION_FAILED", self.stack.ctl("dead", "show", message_id).stdout)
        redrive = ["dead", "redrive", "--reason", "AUTHENTICATION_FAILED"]
        preview = self.stack.ctl(*redrive)
        self.assertIn("1 dead letters would be brought back", preview.stderr)
        self.assertEqual(self.count("pending"), 1)
        self.assertEqual(self.stack.ctl("dead", "redrive", "--yes", check=False).returncode, 2)
        self.assertEqual(self.stack.ctl_json(*redrive, "--yes", "--rate", "10")["redriven"], "1")
        # The register has it whole.
        self.assert_delivered({message_id: ""})
        self.assertEqual(self.stack.ctl_json("message", "get", message_id)["epoch"], 2)
        acts = self.stack.sql("SELECT actor, target FROM audit_log WHERE action = 'dead_letter.redrive'")
        self.assertEqual(acts, [["operator/local", f"message/{message_id}"]])
        self.assertEqual(self.stack.ctl("dead", "show", message_id, check=False).returncode, 4)


if __name__ == "__main__":
    unittest.main()
