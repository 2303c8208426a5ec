"""Messages on their way from a client to the register, and what clients see of them."""

import hashlib
import json
import unittest
import uuid

from support import NUMBER, ProcessTest, wait_until


class Messages(ProcessTest):
    options = {"clients": 2, "workers": 2}

    def message(self, message_id: str, *words: str) -> dict:
        """The register's answer, once it has the message delivered."""
        found: dict = {}

        def delivered() -> bool:
            done = self.stack.ctl("message", "get", message_id, "-o", "json", *words, check=False)
            if done.returncode == 0:
                found.update(json.loads(done.stdout))
            return found.get("state") == "MESSAGE_STATE_DELIVERED"

        wait_until(delivered, 15, f"the delivery of {message_id}")
        return found

    def test_body_and_number_arrive_as_sent(self):
        body = "Grüße 👋 \"quoted\" \\ \t end"
        answer = self.client().post({
            "sender_number": NUMBER, "message_body": body,
            "metadata": {"client_id": "client-00", "timestamp": "2026-01-02T03:04:05Z", "client_ref": "order-7",
                         "n": 3}})
        self.assertEqual(answer.status, 202, answer.body)
        message_id = answer.json["id"]
        self.assertEqual(answer.headers["location"], f"/api/v1/messages/{message_id}")
        self.assertEqual(uuid.UUID(message_id).version, 7)

        message = self.message(message_id, "--full")
        self.assertEqual(message["message_body"], body)
        self.assertEqual(message["sender_number"], NUMBER)
        self.assertEqual(message["client_id"], "client-00")
        self.assertEqual(message["client_ref"], "order-7")

    def test_longest_message_arrives(self):
        body = "😀" * 1000
        message_id = self.client().send(body).json["id"]
        self.assertEqual(self.message(message_id, "--full")["message_body"], body)

    def test_neither_queue_nor_register_holds_plaintext(self):
        text = "plaintext-" + uuid.uuid4().hex
        self.message(self.client().send(text).json["id"])
        self.stack.sql("FLUSH TABLES")
        needles = [text.encode(), NUMBER.encode()]
        for folder in (self.stack.redis.data, self.stack.mariadb.data, self.stack.folder):
            for path in folder.rglob("*"):
                if path.is_file() and path.suffix != ".yaml":
                    content = path.read_bytes()
                    for needle in needles:
                        self.assertNotIn(needle, content, f"plaintext in {path}")

    def test_every_client_of_a_crowd_is_served_and_nothing_is_doubled(self):
        clients = [self.client("client-00"), self.client("client-01")]
        accepted = {}
        for number in range(200):
            answer = clients[number % 2].send(f"message {number}")
            self.assertEqual(answer.status, 202, answer.body)
            accepted[answer.json["id"]] = str(number)
        self.assertEqual(len(accepted), 200)
        self.assertEqual([client.opened for client in clients], [1, 1])
        self.assert_delivered(accepted)

    def test_both_workers_deliver(self):
        client = self.client()
        for number in range(100):
            client.send(f"for any worker {number}")

        def delivered() -> list[float]:
            return [program.metric("postern_deliveries_total", 'result="delivered"')
                    for program in self.stack.programs.values() if program.kind == "worker"]

        wait_until(lambda: sum(delivered()) >= 100, 15, "deliveries in the workers' metrics")

    def test_client_sees_its_own_message(self):
        client = self.client()
        message_id = client.send("mine").json["id"]
        first = client.get(f"/api/v1/messages/{message_id}")
        self.assertEqual(first.status, 200, first.body)
        self.assertEqual(first.json["id"], message_id)
        wait_until(lambda: client.get(f"/api/v1/messages/{message_id}").json["status"] == "delivered", 10,
                   "the status delivered")

    def test_client_does_not_see_others_messages(self):
        message_id = self.client("client-00").send("not yours").json["id"]
        self.message(message_id)
        other = self.client("client-01")
        foreign = other.get(f"/api/v1/messages/{message_id}")
        unknown = other.get(f"/api/v1/messages/{uuid.uuid4()}")
        self.assertEqual((foreign.status, foreign.json["code"]), (404, "not-found"))
        # Nothing tells the two apart.
        self.assertEqual((unknown.status, unknown.json["code"]), (404, "not-found"))
        self.assertEqual(foreign.json["detail"], unknown.json["detail"])

    def test_health_and_operations_port(self):
        health = self.client().get("/api/v1/health")
        self.assertEqual(health.status, 200)
        self.assertEqual(health.json["status"], "pass")
        for program in self.stack.programs.values():
            for path in ("/livez", "/readyz", "/health", "/metrics"):
                self.assertEqual(program.ops(path)[0], 200, f"{program.name} {path}")

    def test_ledger_closes(self):
        client = self.client()
        for number in range(20):
            client.send(f"ledger {number}")
        wait_until(lambda: self.stack.programs["server-1"].metric("postern_ledger_closed") == 1
                   and self.stack.programs["server-1"].metric("postern_ledger_gap") == 0, 15, "a closed ledger")

    def test_logs_hold_no_number_and_no_body(self):
        text = "logged-" + hashlib.sha256(b"x").hexdigest()
        self.message(self.client().send(text).json["id"])
        for program in self.stack.programs.values():
            log = program.process.log.read_text()
            self.assertNotIn(text, log)
            self.assertNotIn(NUMBER[1:], log)


if __name__ == "__main__":
    unittest.main()
