"""Real answers of a running system against docs/api/openapi.yaml, and what the edge serves of it."""

import json
import subprocess
import unittest
import uuid
from pathlib import Path

from api_contract import DOCUMENT, Contract
from support import NUMBER, Client, Leaf, ProcessTest, answers, read_answer, raw_connection, wait_until

PKCS10 = {"Content-Type": "application/pkcs10"}


def message(text: str = "hello", **more) -> dict:
    return {"sender_number": NUMBER, "message_body": text} | more


class ApiContract(ProcessTest):
    options = {"clients": 3, "workers": 1}

    @classmethod
    def before_start(cls) -> None:
        cls.stack.overrides["edge"] = {"listen.enrolment_port": cls.stack.ports["enrolment"]}
        cls.contract = Contract()

    def ask(self, client, method: str, target: str, body=None, headers: dict | None = None):
        """Sends a request, checks the answer against the description, and gives it."""
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = {} if content is None else {"Content-Type": "application/json"}
        answer = client.request(method, target, content, kind | (headers or {}))
        self.contract.check(method, target, answer)
        return answer

    def test_sending(self):
        client = self.client()
        key = {"Idempotency-Key": str(uuid.uuid4())}
        first = self.ask(client, "POST", "/api/v1/messages", message(metadata={"client_ref": "order-42"}), key)
        again = self.ask(client, "POST", "/api/v1/messages", message(metadata={"client_ref": "order-42"}), key)
        self.assertEqual((first.status, again.status), (202, 202))
        self.assertEqual(again.body, first.body)
        self.assertEqual(again.headers["idempotent-replayed"], "true")
        self.assertEqual(self.ask(client, "POST", "/api/v1/messages", message("other"), key).status, 422)
        self.assertEqual(self.ask(client, "POST", "/api/v1/messages", message(), {"Idempotency-Key": "k" * 256}).status, 400)
        self.assertEqual(self.ask(client, "POST", "/api/v1/messages", message(extra=1)).status, 422)
        self.assertEqual(self.ask(client, "POST", "/api/v1/messages", b"{").status, 400)
        self.assertEqual(self.ask(client, "POST", "/api/v1/messages", message(), {"Content-Type": "text/plain"}).status, 415)
        self.assertEqual(self.ask(client, "POST", "/api/v1/messages", b" " * (64 * 1024 + 1)).status, 413)

    def test_framing(self):
        for request, status in ((b"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\n\r\n", 411),
                                (b"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 17000 + b"\r\n\r\n", 431)):
            with raw_connection(self.stack, self.stack.clients["client-00"]) as connection:
                connection.sendall(request)
                answer = read_answer(connection)
                self.assertEqual(answer.status, status)
                self.contract.check("POST", "/api/v1/messages", answer)

    def test_batches(self):
        client = self.client()
        keyed = message(idempotency_key=str(uuid.uuid4()))
        self.assertEqual(self.ask(client, "POST", "/api/v1/messages:batch", {"messages": [keyed, message()]}).status, 202)
        mixed = self.ask(client, "POST", "/api/v1/messages:batch", {"messages": [keyed, message(sender_number="12")]})
        self.assertEqual(mixed.status, 207)
        self.assertEqual([outcome["status"] for outcome in mixed.json["outcomes"]], [202, 422])
        self.assertTrue(mixed.json["outcomes"][0]["replayed"])
        self.assertEqual(self.ask(client, "POST", "/api/v1/messages:batch", {"messages": []}).status, 422)
        self.assertEqual(self.ask(client, "POST", "/api/v1/messages:batch", b"[").status, 400)

    def test_asking(self):
        client = self.client()
        message_id = self.ask(client, "POST", "/api/v1/messages", message(metadata={"client_ref": "asked"})).json["id"]
        path = f"/api/v1/messages/{message_id}"
        wait_until(lambda: self.ask(client, "GET", path).json["status"] == "delivered", 20, "the delivery")
        delivered = self.ask(client, "GET", path)
        self.assertNotIn("retry-after", delivered.headers)
        self.assertEqual([event["event"] for event in delivered.json["timeline"]][-1], "delivered")
        self.assertEqual(self.ask(self.client("client-01"), "GET", path).status, 404)
        self.assertEqual(self.ask(client, "GET", "/api/v1/health").status, 200)

    def test_listing(self):
        client = self.client("client-01")
        number = "+442071234567"
        ids = [self.ask(client, "POST", "/api/v1/messages",
                        {"sender_number": number if i == 2 else NUMBER, "message_body": f"listed {i}", "metadata": {"client_ref": f"ref-{i}"}}
                        ).json["id"] for i in range(5)]

        def listed(query: str = "") -> list[str]:
            answer = self.ask(client, "GET", f"/api/v1/messages{query}")
            self.assertEqual(answer.status, 200, answer.body)
            return [entry["id"] for entry in answer.json["messages"]]

        wait_until(lambda: set(ids) <= set(listed("?status=delivered")), 20, "all five")
        newest_first = [message_id for message_id in listed() if message_id in ids]
        self.assertEqual(newest_first, ids[::-1])
        self.assertEqual(listed("?client_ref=ref-3"), [ids[3]])
        self.assertEqual(listed("?sender_number=%2B442071234567"), [ids[2]])
        self.assertEqual(listed("?sender_number=+442071234568"), [])
        self.assertEqual(listed("?status=dead"), [])
        accepted_at = self.ask(client, "GET", f"/api/v1/messages/{ids[2]}").json["accepted_at"]
        self.assertIn(ids[2], listed(f"?from={accepted_at}"))
        self.assertNotIn(ids[2], listed(f"?until={accepted_at}"))

        seen, cursor = [], ""
        while cursor is not None:
            page = self.ask(client, "GET", "/api/v1/messages?limit=2" + (f"&cursor={cursor}" if cursor else "")).json
            self.assertLessEqual(len(page["messages"]), 2)
            seen += [entry["id"] for entry in page["messages"]]
            last, cursor = cursor, page["next_cursor"]
        self.assertEqual(seen, ids[::-1])
        self.assertEqual(self.ask(self.client("client-02"), "GET", f"/api/v1/messages?limit=2&cursor={last}").status, 400)
        self.assertEqual(self.ask(client, "GET", "/api/v1/messages?limit=0&colour=red").status, 400)
        foreign = {entry["id"] for entry in self.ask(self.client("client-02"), "GET", "/api/v1/messages").json["messages"]}
        self.assertEqual(foreign & set(ids), set())

    def test_limits(self):
        self.stack.ctl("client", "limit", "client-02", "--per-day", "2", "--reason", "a test")
        client = self.client("client-02")
        self.addCleanup(self.stack.ctl, "client", "limit", "client-02", "--default")
        refused = None

        def is_refused() -> bool:
            nonlocal refused
            refused = self.ask(client, "POST", "/api/v1/messages", message())
            return refused.status == 429

        wait_until(is_refused, 10, "the daily limit")
        self.assertEqual(refused.json["code"], "quota-exceeded")
        self.stack.ctl("client", "limit", "client-02", "--per-second", "1", "--burst", "1")
        wait_until(lambda: is_refused() and refused.json["code"] == "rate-limited", 10, "the limit of a second")
        self.assertIn('"rate";q=1;w=1', refused.headers["ratelimit-policy"])
        self.assertEqual(self.stack.ctl_json("client", "show", "client-02")["limits"]["messages_per_second"], 1)
        self.assertEqual(self.stack.ctl("client", "limit", "client-02", check=False).returncode, 2)

    def certificate_request(self, name: str) -> tuple[bytes, Path]:
        """A PKCS#10 request for the name, and the file of its new key."""
        key = self.folder / f"{uuid.uuid4()}.key"
        request = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", key,
                                  "-subj", f"/CN={name}"], capture_output=True, check=True).stdout
        return request, key

    def saved(self, answer, key: Path) -> Leaf:
        """The certificate of an answer beside its key."""
        file = key.with_suffix(".pem")
        file.write_bytes(answer.body)
        return Leaf(file, key)

    def test_a_client_renews_its_certificate(self):
        self.stack.ctl("cert", "issue", "client", "renewing", "--domain", "localhost", "--out", str(self.folder / "renewing"))
        first = Leaf(self.folder / "renewing.pem", self.folder / "renewing.key")
        wait_until(lambda: answers(self.stack, first), 10, "the edge to know the client")
        client = Client(self.stack, first)
        self.addCleanup(client.close)
        path = "/api/v1/certificate:renew"
        request, key = self.certificate_request("renewing")
        renewed = self.ask(client, "POST", path, request, PKCS10)
        self.assertEqual(renewed.status, 201, renewed.body)
        second = self.saved(renewed, key)
        self.assertTrue(answers(self.stack, second), "it works at once")
        shown = self.stack.ctl_json("cert", "show", str(second.certificate))["certificate"]
        self.assertEqual(shown["name"], "renewing")
        self.assertEqual(shown["renewed_from"], self.stack.ctl_json("cert", "show", str(first.certificate))["certificate"]["serial"])

        self.assertEqual(self.ask(client, "POST", path, request).status, 415)
        self.assertEqual(self.ask(client, "POST", path, b"hello", PKCS10).json["code"], "invalid-certificate-request")
        self.assertEqual(self.ask(client, "POST", path, self.certificate_request("globex")[0], PKCS10).status, 422)
        self.assertEqual(self.ask(client, "POST", path, b"x" * (64 * 1024 + 1), PKCS10).status, 413)

        self.stack.ctl("cert", "revoke", str(second.certificate))
        wait_until(lambda: not answers(self.stack, second), 5, "the edge to refuse what was revoked")
        self.assertTrue(answers(self.stack, first))

    def test_a_client_enrols_with_a_token(self):
        self.stack.ctl("client", "create", "newcomer", "--domain", "localhost")
        token = self.folder / "newcomer_token"
        self.stack.ctl("cert", "token", "client", "newcomer", "--token-file", str(token))
        path = "/api/v1/certificate:enrol"
        bearer = {"Authorization": f"Bearer {token.read_text().strip()}"}
        stranger = Client(self.stack, None, port="enrolment")
        self.addCleanup(stranger.close)
        request, key = self.certificate_request("newcomer")
        self.assertEqual(self.ask(stranger, "POST", path, request, PKCS10).json["code"], "certificate-refused")
        wrong = self.ask(stranger, "POST", path, request, PKCS10 | {"Authorization": "Bearer wrong"})
        self.assertEqual((wrong.status, wrong.json["code"]), (403, "certificate-refused"))
        self.assertEqual(self.ask(stranger, "POST", path, b"hello", PKCS10 | bearer).status, 422)
        enrolled = self.ask(stranger, "POST", path, request, PKCS10 | bearer)
        self.assertEqual(enrolled.status, 201, enrolled.body)
        self.assertTrue(answers(self.stack, self.saved(enrolled, key)), "it works at once")
        again = self.ask(stranger, "POST", path, request, PKCS10 | bearer)
        self.assertEqual(again.status, 403)
        self.assertIn("was used at", again.json["detail"])

    def test_the_enrolment_port_serves_nothing_else(self):
        stranger = Client(self.stack, None, port="enrolment")
        self.addCleanup(stranger.close)
        for method, target, body in (("POST", "/api/v1/messages", message()), ("GET", "/api/v1/messages", None),
                                     ("GET", f"/api/v1/messages/{uuid.uuid4()}", None), ("POST", "/api/v1/messages:batch", {"messages": []}),
                                     ("POST", "/api/v1/certificate:renew", b"")):
            refused = self.ask(stranger, method, target, body)
            self.assertEqual((refused.status, refused.json["code"]), (403, "certificate-not-registered"), target)
        self.assertEqual(stranger.get("/api/v1/health").status, 403)

    def test_the_server_away(self):
        client = self.client()
        self.addCleanup(self.ensure_running)
        self.stack.programs["server-1"].stop()
        self.assertEqual(self.ask(client, "GET", "/api/v1/messages").json["code"], "register-unavailable")
        self.assertEqual(self.ask(client, "GET", f"/api/v1/messages/{uuid.uuid4()}").status, 503)
        self.assertEqual(self.ask(client, "POST", "/api/v1/messages", message()).status, 202)

    def test_the_page(self):
        edge = self.stack.programs["edge-1"]
        status, text = edge.ops("/docs/openapi.yaml")
        self.assertEqual((status, text), (200, DOCUMENT.read_text(encoding="utf-8")))
        page = edge.ops("/docs/")[1]
        for name in ("swagger-ui-bundle.js", "swagger-ui.css", "page.js"):
            self.assertIn(name, page)
            self.assertEqual(edge.ops(f"/docs/{name}")[0], 200)
        self.assertNotIn("<script>", page)
        self.assertNotIn("https://", page)
        self.assertEqual(edge.ops("/docs/../edge.yaml")[0], 404)
        problem = self.client().get("/problems/queue-unavailable")
        self.assertEqual(problem.status, 200)
        self.assertIn(b"# queue-unavailable", problem.body)
        self.assertEqual(self.client().get("/problems/nothing").status, 404)

    def test_zz_every_operation_was_checked(self):
        self.assertEqual(self.contract.operations() - {(method, path) for method, path, _ in self.contract.checked}, set())


if __name__ == "__main__":
    unittest.main()
