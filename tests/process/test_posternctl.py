"""posternctl against a running system: answers, formats and exit codes."""

import json
import time
import unittest
import uuid

from support import ProcessTest, wait_until


class Posternctl(ProcessTest):
    options = {"clients": 2, "workers": 1}

    def test_clients(self):
        clients = self.stack.ctl_json("client", "list")["clients"]
        self.assertEqual([client["client_id"] for client in clients], ["client-00", "client-01"])
        self.assertEqual(clients[0]["certificate_sha256"], [self.stack.clients["client-00"].sha256])
        table = self.stack.ctl("client", "list", "-o", "table").stdout
        self.assertIn("client-00", table)

    def test_client_twice_is_an_error(self):
        done = self.stack.ctl("client", "create", "client-00", "--domain", "localhost", "--certificate",
                              str(self.stack.clients["client-00"].certificate), check=False)
        self.assertEqual(done.returncode, 7)
        self.assertIn("already registered", done.stderr)

    def test_messages(self):
        message_id = self.client().send("look at me").json["id"]
        wait_until(lambda: self.stack.ctl("message", "get", message_id, check=False).returncode == 0, 10, "the message")
        masked = self.stack.ctl_json("message", "get", message_id)
        self.assertNotIn("look at me", json.dumps(masked))
        self.assertIn("*", masked["sender_number"])
        full = self.stack.ctl_json("message", "get", message_id, "--full")
        self.assertEqual(full["message_body"], "look at me")
        listed = self.stack.ctl_json("message", "list")["messages"]
        self.assertIn(message_id, [message["id"] for message in listed])

    def test_unknown_message(self):
        done = self.stack.ctl("message", "get", str(uuid.uuid4()), check=False)
        self.assertEqual(done.returncode, 4)
        self.assertTrue(done.stderr)

    def test_database(self):
        self.assertEqual(self.stack.ctl("db", "validate").returncode, 0)
        migrations = self.stack.ctl_json("db", "status")
        self.assertTrue(migrations)
        again = self.stack.ctl("db", "migrate")
        self.assertEqual(again.returncode, 0)

    def test_keys(self):
        status = self.stack.ctl_json("key", "status")
        self.assertEqual([(key["version"], key["state"], key["servers"]) for key in status["versions"]],
                         [(1, "MASTER_KEY_STATE_ACTIVE", ["server-1"])])
        self.assertEqual(self.stack.ctl("key", "retire", "9", check=False).returncode, 4)

    def test_retention(self):
        ahead = self.stack.programs["server-1"]
        wait_until(lambda: ahead.metric("postern_partitions_ahead_seconds") > 48 * 3600, 20, "partitions")
        message_id = self.client().send("into a partition").json["id"]
        row = f"SELECT COUNT(*) FROM messages PARTITION ({{}}) WHERE id = x'{message_id.replace('-', '')}'"
        today = time.strftime("p%Y%m%d00_24", time.gmtime(int(message_id[:8] + message_id[9:13], 16) / 1000))
        wait_until(lambda: self.stack.sql(row.format(today)) == [["1"]], 10, "the message in its partition")
        status = self.stack.ctl_json("retention", "status")
        self.assertIn(today, [partition["name"] for partition in status["partitions"]])
        self.assertEqual((status["to_add"], status["to_drop"], status["held_up"]), ([], [], ""))
        self.assertIn("Nothing was changed", self.stack.ctl("retention", "run", "--dry-run").stderr)
        self.assertEqual(self.stack.ctl_json("retention", "run")["more"], False)

    def test_doctor(self):
        done = self.stack.ctl("doctor", check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_wrong_usage_is_2(self):
        for words in (["nonsense"], ["message", "get"], ["client", "create"], ["message", "list", "--nonsense"]):
            with self.subTest(words):
                self.assertEqual(self.stack.ctl(*words, check=False).returncode, 2)

    def test_server_away(self):
        self.addCleanup(self.ensure_running)
        self.stack.programs["server-1"].stop()
        done = self.stack.ctl("client", "list", check=False)
        self.assertEqual(done.returncode, 6)
        self.assertTrue(done.stderr)
        self.assertEqual(self.stack.ctl("doctor", check=False).returncode, 1)


if __name__ == "__main__":
    unittest.main()
