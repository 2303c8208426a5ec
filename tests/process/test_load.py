"""The load generator against real programs, and the comparison of its ledger with the register."""

import json
import subprocess
import unittest

from support import BUILD, ProcessTest, free_port

FAULTS = ("lost", "duplicated", "phantom", "corrupt", "misattributed", "unlisted")


class Load(ProcessTest):
    options = {"clients": 3}

    def tool(self, *words) -> subprocess.CompletedProcess:
        """Runs postern-load."""
        return subprocess.run([str(BUILD / "bin" / "postern-load"), *map(str, words)], capture_output=True, text=True,
                              timeout=120, check=False)

    def send(self, *words, port: int | None = None) -> subprocess.CompletedProcess:
        """Three seconds of load, the first of them warm-up."""
        return self.tool("run", "--json", "--port", port or self.stack.ports["edge"], "--trust", self.stack.root_ca,
                         "--clients", self.stack.clients["client-00"].certificate.parent, "--connections", 4,
                         "--seconds", 3, "--warmup-seconds", 1, *words)

    def sent(self, name: str, *words) -> dict:
        """The figures of a run with the ledger `name`, once everything is delivered."""
        done = self.send("--ledger", self.folder / name, *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.settle()
        return json.loads(done.stdout)

    def verified(self, name: str, faulty: bool = False) -> dict:
        """What `verify` says about a ledger."""
        done = self.tool("verify", "--ledger", self.folder / name, "--ctl-config", self.stack.ctl_config)
        self.assertEqual(done.returncode, 1 if faulty else 0, done.stdout + done.stderr)
        return json.loads(done.stdout)

    def test_everything_sent_is_found(self):
        sent = self.sent("whole")
        self.assertEqual(sent["acknowledged"], sent["attempted"])
        found = self.verified("whole")
        self.assertEqual(found["acknowledged"], sent["acknowledged"])
        self.assertEqual(found["delivered"], sent["acknowledged"])
        self.assertEqual([found[name] for name in FAULTS], [0] * len(FAULTS))

    def test_missing_and_altered_rows_are_found(self):
        begin = self.stack.sql("SELECT COALESCE(HEX(MAX(id)), '00') FROM messages")[0][0]
        self.sent("broken")
        rows = self.stack.sql(f"SELECT HEX(id) FROM messages WHERE id > UNHEX('{begin}') LIMIT 2")
        deleted, altered = rows[0][0], rows[1][0]
        self.stack.sql(f"DELETE FROM messages WHERE id = UNHEX('{deleted}')")
        self.stack.sql("UPDATE messages SET encrypted_body = REVERSE(encrypted_body) "
                       f"WHERE id = UNHEX('{altered}')")
        found = self.verified("broken", faulty=True)
        self.assertEqual((found["lost"], found["corrupt"], found["phantom"]), (1, 1, 0))

    def test_a_message_of_nobody_is_found(self):
        self.sent("phantom")
        self.client().send("not from the generator")
        self.settle()
        self.assertEqual(self.verified("phantom", faulty=True)["phantom"], 1)

    def test_open_loop_keeps_its_rate(self):
        sent = self.sent("paced", "--rate", 50)
        # A machine too slow for the schedule leaves the rest overdue, never silently unsent.
        self.assertAlmostEqual(sent["attempted"] + sent["overdue"], 150, delta=5)
        self.assertEqual(self.verified("paced")["acknowledged"], sent["acknowledged"])

    def test_no_traffic_is_a_failure(self):
        done = self.send("--ledger", self.folder / "empty", port=free_port())
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.verified("empty", faulty=True)["acknowledged"], 0)


if __name__ == "__main__":
    unittest.main()
