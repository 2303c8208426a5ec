"""Messages that can never be delivered, or were tried too often: they are kept, listed by reason, and come back."""

import unittest

from queue_support import STREAMS, QueueTest
from support import wait_until

# Puts an entry back with other content.
REPLACE = """
local entry = redis.call('xrange', KEYS[1], '-', '+')[1]
local content = entry[2][2]
local function put(position, byte)
  content = string.sub(content, 1, position - 1) .. string.char(byte) .. string.sub(content, position + 1)
end
%s
redis.call('xdel', KEYS[1], entry[1])
return redis.call('xadd', KEYS[1], '*', entry[2][1], content)
"""
# In its middle, which is ciphertext when the body is long.
FLIP_A_BIT = """
local middle = math.floor(#content / 2)
local byte = string.byte(content, middle)
put(middle, byte % 2 == 0 and byte + 1 or byte - 1)
"""
# Another data key (field 4 of the envelope), wrapped by a master key that no server has (field 1 of field 5).
UNKNOWN_KEY = """
local key_id = string.find(content, '\\034\\016', 1, true) + 2
put(key_id, (string.byte(content, key_id) + 1) % 256)
local version = string.find(content, '\\008\\001\\018', key_id, true) + 1
put(version, 9)
"""


class DeadLetterTest(QueueTest):
    def dead_letter(self, body: str, alteration: str) -> str:
        """Id of a message whose entry was altered before a worker saw it, once it is dead. The register has it whole."""
        self.pause_worker()
        message_id = self.client().send(body).json["id"]
        wait_until(lambda: self.count("pending") == 1, 10, "the registration")
        key = self.stack.redis.command("eval", STREAMS % "if redis.call('xlen', key) == 1 then return key end", "0")
        # As if it had been altered in its place: else the server would put the whole one back beside it.
        self.server.process.pause()
        altered = self.stack.redis.command("eval", REPLACE % alteration, "1", key)
        self.stack.sql(f"UPDATE pending SET entry_id = '{altered}'")
        self.server.process.resume()
        self.worker.resume()
        wait_until(lambda: self.stack.ctl_json("message", "get", message_id)["state"] == "MESSAGE_STATE_DEAD", 20,
                   "the dead letter")
        return message_id


# Entries put there by hand leave the ledger open: a stack of its own for each.
class Altered(DeadLetterTest):
    def test_dead_letters_are_listed_by_reason_and_come_back(self):
        message_id = self.dead_letter("x" * 1000, FLIP_A_BIT)
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
        self.assert_delivered({message_id: ""})
        self.assertEqual(self.stack.ctl_json("message", "get", message_id)["epoch"], 2)
        acts = self.stack.sql("SELECT actor, target FROM audit_log WHERE action = 'dead_letter.redrive'")
        self.assertEqual(acts, [["operator/local", f"message/{message_id}"]])
        self.assertEqual(self.stack.ctl("dead", "show", message_id, check=False).returncode, 4)


class Exhausted(DeadLetterTest):
    options = {
        "clients": 1, "workers": 1,
        "overrides": {"server": {"attempts_max": 3}, "worker": {"retry_interval_ms": 2000}},
    }

    def test_a_message_tried_too_often_is_dead_with_its_last_error_and_comes_back(self):
        message_id = self.dead_letter("tried three times", UNKNOWN_KEY)
        message = self.stack.ctl_json("message", "get", message_id)
        self.assertEqual((message["attempts"], message["reason"], message["last_error"]),
                         (3, "ATTEMPTS_EXHAUSTED", "DATA_KEY_UNKNOWN"))
        wait_until(lambda: self.entries() == 0, 10, "the worker to remove the entry")
        self.stack.ctl_json("dead", "redrive", "--reason", "ATTEMPTS_EXHAUSTED", "--yes")
        self.assert_delivered({message_id: ""})


if __name__ == "__main__":
    unittest.main()
