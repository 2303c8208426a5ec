"""What the tests of a damaged queue share."""

from support import ProcessTest, wait_until

# Does %s with the key of each stream.
STREAMS = "for s = 0, 15 do local key = 'postern:{' .. s .. '}:messages' %s end"


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
