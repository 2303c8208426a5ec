"""The users and messages that `up` makes, so that each screen of the portal has something to show."""

import http.client
import json
import ssl
import time

from processes import wait_until
from stack import Stack

PEOPLE = (("admin@example.org", "Local Admin", "admin", ()), ("user@example.org", "Local User", "user", ("demo",)))
MESSAGES = 40
DEAD = 3
# Takes the entries of the messages that are to be dead letters out of the queue.
_EMPTY = """
for shard = 0, 15 do
  local key = 'postern:{' .. shard .. '}:messages'
  for _, entry in ipairs(redis.call('xrange', key, '-', '+')) do redis.call('xdel', key, entry[1]) end
  redis.pcall('xgroup', 'setid', key, 'workers', '$')
end
"""


def make_people(stack: Stack) -> list[tuple[str, str, str]]:
    """E-mail, role and one-time password of those who were not there before."""
    known = {user["email"] for user in stack.ctl_json("user", "list", "--all").get("users", [])}
    made = []
    for email, name, role, clients in PEOPLE:
        if email in known:
            continue
        words = ["user", "create", email, "--name", name, "--role", role]
        for client in clients:
            words += ["--client", client]
        made.append((email, role, stack.ctl_json(*words)["one_time_password"]))
    return made


def make_messages(stack: Stack, client_id: str) -> None:
    """Delivered messages, and a few dead letters: written into the register by hand, since nothing here goes wrong by itself."""
    _send(stack, client_id, MESSAGES)
    worker = stack.programs[stack.worker_names[0]]
    others = [stack.programs[name] for name in stack.worker_names[1:]]
    wait_until(lambda: _pending(stack) == 0, 30, "the deliveries")
    for program in [worker, *others]:
        program.stop()
    _send(stack, client_id, DEAD)
    wait_until(lambda: _pending(stack) == DEAD, 30, "the registrations")
    stack.redis.command("eval", _EMPTY, "0")
    stack.sql("UPDATE pending SET state = 4, attempts = 10, reason = 'ATTEMPTS_EXHAUSTED', last_error = 'UNAVAILABLE'")
    # What the server would have counted: accepted, delivered, dead, failed attempts.
    stack.sql(f"INSERT INTO statistics_journal (delta) VALUES ('{int(time.time()) // 60} {client_id} 0 0 {DEAD} {DEAD * 10}')")
    for program in [worker, *others]:
        program.start()


def _pending(stack: Stack) -> int:
    return int(stack.sql("SELECT COUNT(*) FROM pending")[0][0])


def _send(stack: Stack, client_id: str, count: int) -> None:
    leaf = stack.clients[client_id]
    context = ssl.create_default_context(cafile=str(stack.root_ca))
    context.load_cert_chain(leaf.certificate, leaf.key)
    connection = http.client.HTTPSConnection("localhost", stack.ports["edge"], timeout=10, context=context)
    for number in range(count):
        body = {"sender_number": f"+141555501{number:02}", "message_body": f"Order {number} is on its way.",
                "metadata": {"client_ref": f"order-{number}"}}
        connection.request("POST", "/api/v1/messages", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 202:
            break
    connection.close()
