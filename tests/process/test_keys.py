"""The keys of the messages: the master key is rotated and retired under load, data keys are changed by age, and what
somebody altered in the database is found and never shown."""

import json
import secrets
import unittest

from support import Load, ProcessTest, wait_until


class Keys(ProcessTest):
    options = {
        "clients": 1,
        "overrides": {"worker": {"retry_interval_ms": 1000}, "server": {"keys.data_key_max_age_seconds": 3}},
    }

    def versions(self) -> dict[int, dict]:
        """Versions of the master key as posternctl shows them."""
        return {key["version"]: key for key in self.stack.ctl_json("key", "status")["versions"]}

    def full(self, message_id: str) -> dict:
        """A message as an operator reads it."""
        return self.stack.ctl_json("message", "get", message_id, "--full")

    def test_master_key_is_rotated_and_retired_under_load(self):
        server, edge = self.stack.programs["server-1"], self.stack.programs["edge-1"]
        key_file = self.stack.folder / "secrets" / "master.key"
        first = key_file.read_text().strip()
        before = edge.metric("postern_data_keys_total", 'result="fetched"')
        second = f"2:{secrets.token_hex(32)}"
        with Load(self.stack) as load:
            refused = self.stack.ctl("key", "rotate", check=False)
            self.assertIn("add a line `2:", refused.stderr)
            key_file.write_text(f"1:{first}\n{second}\n")
            self.stack.ctl("key", "rotate", "--wait")
            load.wait_for(20)
            self.assertIn("less than 10 s", self.stack.ctl("key", "retire", "1", check=False).stderr)
            # As if that were over.
            self.stack.sql("UPDATE master_keys SET activated_at_us = activated_at_us - 11000000")
            self.stack.ctl("key", "retire", "1")
            key_file.write_text(f"{second}\n")
            server.restart()
            load.wait_for(20)
            wait_until(lambda: edge.metric("postern_data_keys_total", 'result="fetched"') >= before + 2, 10,
                       "data keys to be changed by age")
        self.assertEqual((load.refused, load.unanswered), ([], 0))
        self.assert_delivered(load.accepted)
        states = {version: (key["state"], int(key["data_keys"])) for version, key in self.versions().items()}
        self.assertEqual(states[1], ("MASTER_KEY_STATE_RETIRED", 0))
        self.assertEqual(states[2][0], "MASTER_KEY_STATE_ACTIVE")
        for message_id in list(load.accepted)[:3] + list(load.accepted)[-3:]:
            self.assertEqual(self.full(message_id)["message_body"], load.accepted[message_id])
        self.assertEqual(json.loads(self.stack.ctl("message", "verify", "-o", "json").stdout)["damaged"], [])

    def test_altered_truncated_and_swapped_messages_are_found_and_never_shown(self):
        client = self.client()
        texts = {client.send(text).json["id"]: text for text in ("altered", "truncated", "swapped", "other", "intact")}
        self.assert_delivered(texts)
        altered, truncated, swapped, other, _ = (message_id.replace("-", "") for message_id in texts)
        self.stack.sql("UPDATE messages SET encrypted_body = INSERT(encrypted_body, 20, 1,"
                       f" CHAR(ORD(SUBSTR(encrypted_body, 20, 1)) ^ 1)) WHERE id = x'{altered}'")
        self.stack.sql("UPDATE messages SET encrypted_number = LEFT(encrypted_number, LENGTH(encrypted_number) - 1)"
                       f" WHERE id = x'{truncated}'")
        self.stack.sql("UPDATE messages a JOIN messages b SET a.encrypted_body = b.encrypted_body,"
                       f" a.encrypted_number = b.encrypted_number WHERE a.id = x'{swapped}' AND b.id = x'{other}'")
        bad = list(texts)[:3]
        for message_id in bad:
            shown = self.full(message_id)
            self.assertEqual((shown["decryption_error"], shown["message_body"]), ("AUTHENTICATION_FAILED", ""))
            self.assertNotIn("14155550123", json.dumps(shown))
        self.assertEqual(self.full(list(texts)[4])["message_body"], "intact")
        self.assertEqual(self.ids("quarantine"), {altered, truncated, swapped})
        verified = self.stack.ctl("message", "verify", "-o", "json", check=False)
        self.assertNotEqual(verified.returncode, 0)
        self.assertEqual({damaged["id"] for damaged in json.loads(verified.stdout)["damaged"]}, set(bad))
        self.assertEqual(self.stack.programs["server-1"].metric("postern_messages_quarantined_total"), 3)
        self.stack.sql("DELETE FROM messages WHERE id IN (SELECT id FROM quarantine)")


if __name__ == "__main__":
    unittest.main()
