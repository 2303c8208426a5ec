"""Requests that the edge must refuse, sent to a real one: status, code, pointers, and whether the connection stays
usable."""

import json
import unittest

from support import NUMBER, ProcessTest, raw_connection, read_answer

GOOD = {"sender_number": NUMBER, "message_body": "fine"}


def body(**changes) -> bytes:
    """A good message with changes; a value of None takes the member out."""
    return json.dumps({key: value for key, value in (GOOD | changes).items() if value is not None}).encode()


def text(value: bytes) -> bytes:
    """A message whose body text is these bytes of JSON."""
    return b'{"sender_number": "%s", "message_body": "%s"}' % (NUMBER.encode(), value)


# Name, body, status, code, pointers of the violations.
BODIES = [
    ("not JSON", b"{", 400, "malformed-json", set()),
    ("empty body", b"", 400, "malformed-json", set()),
    ("two documents", body() + body(), 400, "malformed-json", set()),
    ("trailing comma", b'{"sender_number": "+14155550123",}', 400, "malformed-json", set()),
    ("invalid UTF-8", text(b"\xff\xfe"), 400, "malformed-json", set()),
    ("overlong UTF-8", text(b"\xc0\xaf"), 400, "malformed-json", set()),
    ("surrogate in UTF-8", text(b"\xed\xa0\x80"), 400, "malformed-json", set()),
    ("lone surrogate escape", text(rb"\ud800"), 400, "malformed-json", set()),
    ("raw control character", text(b"a\nb"), 400, "malformed-json", set()),
    ("array", b"[]", 422, "validation-failed", {""}),
    ("string", b'"x"', 422, "validation-failed", {""}),
    ("nothing in it", b"{}", 422, "validation-failed", {"/sender_number", "/message_body"}),
    ("unknown member", body(text="x"), 422, "validation-failed", {"/text"}),
    ("duplicate member", body()[:-1] + b', "message_body": "b"}', 422, "validation-failed", {"/message_body"}),
    ("number as number", body(sender_number=14155550123), 422, "validation-failed", {"/sender_number"}),
    ("number without plus", body(sender_number="14155550123"), 422, "validation-failed", {"/sender_number"}),
    ("number with letters", body(sender_number="+1415555O123"), 422, "validation-failed", {"/sender_number"}),
    ("number too long", body(sender_number="+1234567890123456"), 422, "validation-failed", {"/sender_number"}),
    ("number of zeros", body(sender_number="+04155550123"), 422, "validation-failed", {"/sender_number"}),
    ("body missing", body(message_body=None), 422, "validation-failed", {"/message_body"}),
    ("body empty", body(message_body=""), 422, "validation-failed", {"/message_body"}),
    ("body null", text(b"")[:-3] + b" null}", 422, "validation-failed", {"/message_body"}),
    ("body of 1001 code points", body(message_body="ä" * 1001), 422, "validation-failed", {"/message_body"}),
    ("NUL in the body", body(message_body="a\0b"), 422, "validation-failed", {"/message_body"}),
    ("metadata no object", body(metadata=[]), 422, "validation-failed", {"/metadata"}),
    ("metadata nested", body(metadata={"a": {}}), 422, "validation-failed", {"/metadata/a"}),
    ("metadata of 17", body(metadata={f"k{i}": i for i in range(17)}), 422, "validation-failed", {"/metadata"}),
    ("metadata of 2049 bytes", body(metadata={"k": "x" * 2049}), 422, "validation-failed", {"/metadata"}),
    ("another's client_id", body(metadata={"client_id": "client-01"}), 422, "validation-failed",
     {"/metadata/client_id"}),
    ("timestamp of nonsense", body(metadata={"timestamp": "yesterday"}), 422, "validation-failed",
     {"/metadata/timestamp"}),
    ("client_ref with a space", body(metadata={"client_ref": "a b"}), 422, "validation-failed",
     {"/metadata/client_ref"}),
    ("all at once", body(sender_number="x", message_body="", more=1), 422, "validation-failed",
     {"/sender_number", "/message_body", "/more"}),
]

# Name, method, path, headers, status, code.
REQUESTS = [
    ("wrong content type", "POST", "/api/v1/messages", {"Content-Type": "text/plain"}, 415, "unsupported-media-type"),
    ("wrong charset", "POST", "/api/v1/messages", {"Content-Type": "application/json; charset=latin1"}, 415,
     "unsupported-media-type"),
    ("wrong method", "PUT", "/api/v1/messages", {"Content-Type": "application/json"}, 405, "method-not-allowed"),
    ("unknown path", "POST", "/api/v1/nothing", {"Content-Type": "application/json"}, 404, "not-found"),
    ("path of another case", "POST", "/API/v1/messages", {"Content-Type": "application/json"}, 404, "not-found"),
    ("id of nonsense", "GET", "/api/v1/messages/nonsense", {}, 404, "not-found"),
]

_START = b"POST /api/v1/messages HTTP/1.1\r\n"
_TYPE = b"Content-Type: application/json\r\n"


class BadRequests(ProcessTest):
    options = {"clients": 2, "workers": 1}

    def assert_problem(self, answer, status: int, code: str) -> None:
        self.assertEqual((answer.status, answer.json["code"]), (status, code), answer.body)
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        self.assertEqual(answer.json["status"], status)
        for member in ("type", "title", "detail", "instance"):
            self.assertTrue(answer.json[member], member)

    def test_bodies(self):
        client = self.client()
        for name, content, status, code, pointers in BODIES:
            with self.subTest(name):
                answer = client.post(content)
                self.assert_problem(answer, status, code)
                self.assertEqual(answer.pointers, pointers, answer.body)
        self.assertEqual(client.post(GOOD).status, 202)
        self.assertEqual(client.opened, 1, "the connection stays usable through all of them")
        rows = self.stack.sql("SELECT COUNT(*) FROM (SELECT id FROM pending UNION SELECT id FROM messages) AS both_tables")
        self.assertLessEqual(int(rows[0][0]), 1, "nothing refused is in the register")

    def test_requests(self):
        client = self.client()
        for name, method, path, headers, status, code in REQUESTS:
            with self.subTest(name):
                content = body() if method != "GET" else None
                answer = client.request(method, path, content, headers)
                self.assert_problem(answer, status, code)
                if status == 405:
                    self.assertIn("POST", answer.headers["allow"])
        self.assertEqual(client.post(GOOD).status, 202)
        self.assertEqual(client.opened, 1)

    def test_pipelined_requests_are_answered_in_order(self):
        good = body()
        one = _START + b"Host: a\r\n" + _TYPE + b"Content-Length: %d\r\n\r\n" % len(good) + good
        with raw_connection(self.stack, self.stack.clients["client-00"]) as connection:
            connection.sendall(one + one.replace(b"sender_number", b"sender_numbex") + one)
            data = b""
            while data.count(b"HTTP/1.1 ") < 3:
                data += connection.recv(65536)
        statuses = [part.split(b" ")[0] for part in data.split(b"HTTP/1.1 ")[1:]]
        self.assertEqual(statuses, [b"202", b"422", b"202"])

    def test_request_in_single_bytes(self):
        good = body()
        request = _START + b"Host: a\r\n" + _TYPE + b"Content-Length: %d\r\n\r\n" % len(good) + good
        with raw_connection(self.stack, self.stack.clients["client-00"]) as connection:
            for byte in request:
                connection.sendall(bytes([byte]))
            self.assertEqual(read_answer(connection).status, 202)


if __name__ == "__main__":
    unittest.main()
