"""The queue loses what it held, in every way there is: each registered message is delivered all the same, without a restart of anything."""

import shutil
import unittest

from queue_support import QueueTest
from support import free_port, wait_until


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

if __name__ == "__main__":
    unittest.main()
