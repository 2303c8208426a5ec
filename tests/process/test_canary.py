"""No body and no full number is anywhere but in the memory of edge and server, and those write no core dumps."""

import json
import secrets
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from canary import Canary  # noqa: E402
from support import ProcessTest, wait_until  # noqa: E402

# A word that is nowhere else, and text whose bytes differ by encoding.
WORD = secrets.token_hex(16)
TEXT = f"Grüße 漢字 \"{secrets.token_hex(8)}\" & €"
NUMBER = "+4915" + "".join(secrets.choice("0123456789") for _ in range(9))
# What may be seen: metadata is stored as given.
SEEN = f"ref-{secrets.token_hex(12)}"

# Replaces the first entry of each shard by a damaged one: a dead letter, with all that is said about it on its way.
DAMAGE = """
for shard = 0, 15 do
  local key = 'postern:{' .. shard .. '}:messages'
  for _, entry in ipairs(redis.call('xrange', key, '-', '+', 'count', '1')) do
    local name, value = entry[2][1], entry[2][2]
    local middle = math.floor(#value / 2)
    local flipped = string.char((value:byte(middle) + 1) % 256)
    redis.call('xdel', key, entry[1])
    redis.call('xadd', key, '*', name, value:sub(1, middle - 1) .. flipped .. value:sub(middle + 1))
  end
end
"""


class NoPlaintext(ProcessTest):
    options = {
        "clients": 1, "workers": 1,
        "overrides": {"edge": {"log.level": "debug"}, "server": {"log.level": "debug", "reconcile.interval_ms": 3_600_000},
                      "worker": {"log.level": "debug", "retry_interval_ms": 500}},
    }

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.canary = Canary({"the word": WORD, "the text": TEXT, "the number": NUMBER[1:]})
        cls.control = Canary({"the reference": SEEN})

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self.ensure_running)

    def send_some(self, count: int = 30) -> None:
        client = self.client()
        for number in range(count):
            answer = client.post({"sender_number": NUMBER, "message_body": f"{WORD} {number} {TEXT}",
                                  "metadata": {"client_ref": SEEN}})
            self.assertEqual(answer.status, 202, answer.body)
            self.assert_clean(answer.body, "an answer")
            self.assert_clean(client.get(f"/api/v1/messages/{answer.json['id']}").body, "a status")

    def assert_clean(self, data: bytes | str, where: str) -> None:
        content = data if isinstance(data, bytes) else data.encode()
        self.assertEqual(self.canary.in_bytes(content), set(), where)

    def assert_memory_clean(self, name: str, pid: int) -> None:
        self.assertEqual(self.canary.in_memory(pid), set(), f"memory of {name}")

    def assert_files_clean(self) -> None:
        self.assertEqual(self.canary.in_folder(self.folder), {})

    def test_stores_logs_and_metrics(self):
        worker, mariadb, redis = self.stack.programs["worker-1"], self.stack.mariadb, self.stack.redis
        worker.process.pause()
        # Its last read would take the first message, which is the one to be damaged.
        wait_until(lambda: redis.info("clients")["blocked_clients"] == "0", 5, "the last read to end")
        self.send_some()
        wait_until(lambda: self.count("pending") == 30, 10, "all registrations")
        redis.command("eval", DAMAGE, "0")
        self.assert_memory_clean("redis", redis.process.pid)
        self.assert_files_clean()
        # What may be seen is found in the same places: the search can find something.
        self.assertTrue(self.control.in_memory(redis.process.pid))
        self.assertTrue(any("/redis/data/" in path for path in self.control.in_folder(self.folder)))

        # Attempts that fail are reported and logged: the database is away while the worker delivers.
        mariadb.process.pause()
        worker.process.resume()
        wait_until(lambda: worker.metric("postern_worker_in_flight") > 0, 10, "deliveries in hand")
        self.assert_memory_clean("worker-1", worker.process.pid)
        mariadb.process.resume()
        wait_until(lambda: self.entries() == 0, 60, "all deliveries")
        self.assertGreater(int(self.stack.sql("SELECT COUNT(*) FROM pending WHERE state = 4")[0][0]), 0, "dead letters")
        self.send_some(5)
        wait_until(lambda: self.entries() == 0, 20, "all deliveries")
        for name, pid in (("worker-1", worker.process.pid), ("mariadb", mariadb.process.pid), ("redis", redis.process.pid)):
            self.assert_memory_clean(name, pid)
        redis.command("bgrewriteaof")
        wait_until(lambda: redis.info("persistence")["aof_rewrite_in_progress"] == "0", 10, "the new AOF")
        self.stack.sql("SET GLOBAL innodb_max_dirty_pages_pct = 0")
        self.assert_files_clean()
        self.assertTrue(any("/mariadb/data/" in path for path in self.control.in_folder(self.folder)))
        self.stack.sql("DELETE FROM pending WHERE state = 4")

        for program in self.stack.programs.values():
            for path in ("/metrics", "/readyz", "/livez"):
                self.assert_clean(program.ops(path)[1], f"{path} of {program.name}")
        for words in (("message", "list"), ("ledger",), ("doctor",)):
            done = self.stack.ctl(*words, "-o", "json", check=False)
            self.assert_clean(done.stdout + done.stderr, f"posternctl {' '.join(words)}")

    def test_refusals(self):
        """No problem repeats a value of the request, and no log does."""
        client = self.client()
        good = {"sender_number": NUMBER, "message_body": f"{WORD} {TEXT}"}
        bodies = [
            good | {"sender_number": f"{NUMBER} "},
            good | {"sender_number": f"{NUMBER}{NUMBER[1:]}"},
            good | {"message_body": f"{WORD} {TEXT}" * 100},
            good | {"message_body": f"{WORD}\0{TEXT}"},
            good | {"message_body": [WORD, TEXT]},
            good | {"unknown": WORD},
            good | {"metadata": {"key": {"deep": TEXT}}},
            good | {"metadata": {"client_id": WORD}},
            good | {"metadata": {"client_ref": TEXT}},
            good | {"metadata": {"timestamp": NUMBER}},
        ]
        contents = [json.dumps(body).encode() for body in bodies]
        contents += [json.dumps(good).encode()[:-1], json.dumps(good).encode() * 2, f"{WORD} {TEXT} {NUMBER}".encode(),
                     json.dumps(good, ensure_ascii=False).encode("utf-16")]
        for content in contents:
            answer = client.post(content)
            self.assertIn(answer.status, (400, 422), answer.body)
            self.assert_clean(answer.body, "a problem")
            self.assertEqual(self.canary.in_bytes(repr(answer.headers).encode()), set())
        self.assert_files_clean()

    def test_what_holds_plaintext_writes_no_core(self):
        for name in ("edge-1", "server-1"):
            pid = self.stack.programs[name].process.pid
            limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
            line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
            self.assertEqual(line.split()[4:6], ["0", "0"], name)


if __name__ == "__main__":
    unittest.main()
