#!/usr/bin/env python3
"""A client of Postern with nothing but Python's standard library (3.9 or later). Copy it, or read it as an example.

    client = PosternClient("https://edge.example.com:8443", "root_ca.pem", "client.pem", "client.key")
    sent = client.send("+14155550123", "Your parcel is on its way.", client_ref="order-42")
    print(client.wait_until_delivered(sent.id).status)

What it does for you:
  - keeps its connection and uses it again, one for each thread;
  - gives each message an idempotency key, so that sending again after a lost answer never makes a second message;
  - sends again after 429 and 5xx and after a broken connection, as late as `Retry-After` says, or later and later with some chance in it;
  - turns problems into exceptions of their own (ValidationFailed, RateLimited, …), each with `code`, `request_id` and `errors`.

From the command line:

    postern_client.py --edge URL --trust ROOT_CA --certificate CERT --key KEY send NUMBER TEXT [--ref REF] [--wait]
    postern_client.py … show ID
    postern_client.py … list [--status STATUS] [--ref REF]
"""

import argparse
import http.client
import json
import random
import ssl
import sys
import threading
import time
import urllib.parse
import uuid
from dataclasses import dataclass, field
from typing import Any, Iterator, Optional


class PosternError(Exception):
    """Anything that keeps a request from being answered as asked."""


class NotAnswered(PosternError):
    """No good answer came in time. With its idempotency key a message may be sent again without a second thought."""


class Problem(PosternError):
    """An answer of Postern that says what is wrong (RFC 9457)."""

    def __init__(self, status: int, document: dict, retry_after: Optional[float] = None):
        self.status = status
        self.code: str = document.get("code", "")
        self.detail: str = document.get("detail", "")
        self.request_id: str = document.get("request_id", "")
        self.errors: list = document.get("errors", [])
        self.retry_after = retry_after
        super().__init__(f"{self.code} ({status}): {self.detail} {self.errors or ''} [request {self.request_id}]")


class ValidationFailed(Problem):
    """The message breaks a rule; `errors` says which and where."""


class IdempotencyKeyReused(Problem):
    """The key was used with another message."""


class NotFound(Problem):
    """No such message of yours."""


class ClientRefused(Problem):
    """The certificate is not registered any more, or the client is suspended."""


class RateLimited(Problem):
    """More than your limit; `retry_after` says when there is room."""


class Unavailable(Problem):
    """Postern cannot do this now; `retry_after` says when to try again."""


_PROBLEMS = {"validation-failed": ValidationFailed, "malformed-json": ValidationFailed, "invalid-parameter": ValidationFailed,
             "idempotency-key-reused": IdempotencyKeyReused, "not-found": NotFound, "certificate-not-registered": ClientRefused,
             "client-suspended": ClientRefused}


def _problem(status: int, document: dict, retry_after: Optional[float] = None) -> Problem:
    kind = _PROBLEMS.get(document.get("code", ""))
    if kind is None:
        kind = RateLimited if status == 429 else Unavailable if status >= 500 else Problem
    return kind(status, document, retry_after)


@dataclass
class Accepted:
    """A message that is on disk. `key`: the idempotency key it was sent with."""

    id: str
    accepted_at: str
    key: str
    replayed: bool = False


@dataclass
class Message:
    """Where a message is: `status` is queued, retrying, delivered or dead."""

    id: str
    status: str
    attempts: int
    reason: Optional[str]
    client_ref: Optional[str]
    next_attempt_at: Optional[str]
    retry_after: Optional[float] = None
    raw: dict = field(default_factory=dict, repr=False)

    @property
    def final(self) -> bool:
        return self.status in ("delivered", "dead")


def _message(document: dict, retry_after: Optional[float] = None) -> Message:
    known = {name: document.get(name) for name in ("id", "status", "attempts", "reason", "client_ref", "next_attempt_at")}
    return Message(**known, retry_after=retry_after, raw=document)


class PosternClient:
    """`patience`: seconds after which sending again ends. Threads may share a client."""

    PATH = "/api/v1/messages"
    FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0

    def __init__(self, edge: str, trust: str, certificate: str, key: str, patience: float = 60, timeout: float = 15):
        address = urllib.parse.urlsplit(edge)
        if address.scheme != "https" or not address.hostname:
            raise ValueError("the edge's address begins with https://")
        self._host, self._port = address.hostname, address.port or 443
        self._tls = ssl.create_default_context(cafile=trust)
        self._tls.load_cert_chain(certificate, key)
        self._patience, self._timeout = patience, timeout
        self._local = threading.local()

    # --- Sending.

    def send(self, number: str, text: str, client_ref: Optional[str] = None, metadata: Optional[dict] = None,
             key: Optional[str] = None) -> Accepted:
        """Sends one message, again if need be, until Postern has it on disk."""
        key = key or str(uuid.uuid4())
        body = self._new_message(number, text, client_ref, metadata)
        _, headers, document = self._ask("POST", self.PATH, body, {"Idempotency-Key": key})
        return Accepted(document["id"], document["accepted_at"], key, headers.get("idempotent-replayed") == "true")

    def send_batch(self, messages: list) -> list:
        """Sends up to 1,000 messages, dictionaries with `number`, `text` and, if you like, `client_ref`, `metadata` and `key`. Gives an Accepted or a
        Problem for each, in their order; those that pass by themselves are sent again."""
        outcomes: list = [None] * len(messages)
        keys = [message.get("key") or str(uuid.uuid4()) for message in messages]
        left = list(range(len(messages)))
        until = time.monotonic() + self._patience
        while left:
            batch = [self._new_message(messages[i]["number"], messages[i]["text"], messages[i].get("client_ref"), messages[i].get("metadata"))
                     | {"idempotency_key": keys[i]} for i in left]
            _, _, document = self._ask("POST", f"{self.PATH}:batch", {"messages": batch}, {})
            again, pause = [], 0.0
            for place, outcome in zip(left, document["outcomes"]):
                if outcome["status"] == 202:
                    accepted = outcome["message"]
                    outcomes[place] = Accepted(accepted["id"], accepted["accepted_at"], keys[place], outcome.get("replayed", False))
                    continue
                outcomes[place] = _problem(outcome["status"], outcome["problem"], outcome.get("retry_after"))
                if "retry_after" in outcome:
                    again.append(place)
                    pause = max(pause, outcome["retry_after"])
            if not again or time.monotonic() + pause > until:
                break
            time.sleep(pause)
            left = again
        return outcomes

    # --- Asking.

    def get(self, message_id: str) -> Message:
        """Where a message is. NotFound when it is not yours, or not registered yet."""
        _, headers, document = self._ask("GET", f"{self.PATH}/{urllib.parse.quote(message_id, safe='')}", None, {})
        return _message(document, _seconds(headers))

    def wait_until_delivered(self, message_id: str, seconds: float = 60) -> Message:
        """Asks, as seldom as the edge says, until the message is delivered or dead. NotAnswered when it is neither in time."""
        until = time.monotonic() + seconds
        while True:
            try:
                message = self.get(message_id)
                if message.final:
                    return message
                pause = message.retry_after or 1.0
            except NotFound:
                # Accepted by another edge a moment ago: it will be registered.
                pause = 0.5
            if time.monotonic() + pause > until:
                raise NotAnswered(f"message {message_id} is neither delivered nor dead after {seconds:g} s")
            time.sleep(pause)

    def list(self, **filters: Any) -> Iterator[Message]:
        """Your messages, the newest first, page by page: `status`, `since`, `until`, `sender_number`, `client_ref`."""
        if "since" in filters:
            filters["from"] = filters.pop("since")
        cursor: Optional[str] = None
        while True:
            query = urllib.parse.urlencode({**filters, **({"cursor": cursor} if cursor else {})})
            _, _, page = self._ask("GET", f"{self.PATH}?{query}", None, {})
            yield from (_message(document) for document in page["messages"])
            cursor = page["next_cursor"]
            if cursor is None:
                return

    # --- One request, again if need be.

    @staticmethod
    def _new_message(number: str, text: str, client_ref: Optional[str], metadata: Optional[dict]) -> dict:
        message: dict = {"sender_number": number, "message_body": text}
        if client_ref is not None or metadata:
            message["metadata"] = {**(metadata or {}), **({"client_ref": client_ref} if client_ref is not None else {})}
        return message

    def _ask(self, method: str, target: str, body: Optional[dict], headers: dict) -> tuple:
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers = {**headers, "Content-Type": "application/json"}
        until, pause = time.monotonic() + self._patience, self.FIRST_PAUSE
        while True:
            failure: PosternError
            wait = pause * (0.5 + random.random())
            try:
                status, answer_headers, document = self._exchange(method, target, content, headers)
                if status < 300:
                    return status, answer_headers, document
                problem = _problem(status, document, _seconds(answer_headers))
                if status != 429 and status < 500:
                    raise problem
                failure, wait = problem, max(wait, problem.retry_after or 0)
            except (OSError, http.client.HTTPException) as error:
                failure = NotAnswered(f"{method} {self._host}:{self._port}: {error}")
            if time.monotonic() + wait > until:
                raise failure
            time.sleep(wait)
            pause = min(2 * pause, self.LONGEST_PAUSE)

    def _exchange(self, method: str, target: str, content: Optional[bytes], headers: dict) -> tuple:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout, context=self._tls)
            self._local.connection = connection
        try:
            connection.request(method, target, content, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.will_close:
            self.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, json.loads(text)

    def close(self) -> None:
        """Closes this thread's connection; the next request opens another."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None


def _seconds(headers: dict) -> Optional[float]:
    value = headers.get("retry-after", "")
    return float(value) if value.isdigit() else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("edge", "trust", "certificate", "key"):
        parser.add_argument(f"--{name}", required=True)
    verbs = parser.add_subparsers(dest="verb", required=True)
    send = verbs.add_parser("send", help="send a message")
    send.add_argument("number")
    send.add_argument("text")
    send.add_argument("--ref", help="your reference")
    send.add_argument("--wait", action="store_true", help="wait until it is delivered")
    show = verbs.add_parser("show", help="where a message is")
    show.add_argument("id")
    lists = verbs.add_parser("list", help="your messages, the newest first")
    lists.add_argument("--status")
    lists.add_argument("--ref")
    arguments = parser.parse_args()
    client = PosternClient(arguments.edge, arguments.trust, arguments.certificate, arguments.key)
    try:
        if arguments.verb == "send":
            sent = client.send(arguments.number, arguments.text, client_ref=arguments.ref)
            print(f"{sent.id} queued")
            if arguments.wait:
                print(f"{sent.id} {client.wait_until_delivered(sent.id).status}")
        elif arguments.verb == "show":
            print(json.dumps(client.get(arguments.id).raw, indent=2))
        else:
            filters = {"status": arguments.status, "client_ref": arguments.ref}
            for message in client.list(**{name: value for name, value in filters.items() if value}):
                print(f"{message.id} {message.status} {message.client_ref or '-'}")
    except PosternError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
