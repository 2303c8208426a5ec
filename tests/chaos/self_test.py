"""Shows that the check of `kill` fails where it must: it would be worth nothing otherwise."""

import http.client
import json
import ssl
import time
from pathlib import Path

import measured_stack as measured
from chaos_stack import ChaosStack
from measured_stack import Stack, note

RATE = 2000
CONNECTIONS = 16


def run(build: Path, folder: Path, settings: dict[str, dict]) -> dict:
    """All checks; `passed` when each found the fault that was made."""
    figures: dict = {}
    for policy in ("everysec", "no"):
        verification = _lose(build, folder / policy, settings, policy)
        figures[f"appendfsync_{policy}_lost"] = verification["lost"]
    figures |= _alter_rows(build, folder / "rows", settings)
    figures["passed"] = int(
        figures["appendfsync_everysec_lost"] > 0 and figures["appendfsync_no_lost"] > 0
        and figures["untouched_faults"] == 0 and figures["deleted_lost"] == 1
        and figures["altered_corrupt"] == 1 and figures["doubled_duplicated"] == 1)
    return figures


def _lose(build: Path, folder: Path, settings: dict[str, dict], policy: str) -> dict:
    """A Redis that answers before it fsyncs is cut together with the edge, while the server is away: messages that only the queue
    has are gone. What the server has registered, or an edge still holds, would heal."""
    note(f"== appendfsync {policy}: acknowledged messages must be lost")
    # A slow disk, so that there is always something that is not on it.
    with ChaosStack(folder, build, settings, redis_options={"appendfsync": policy}) as chaos:
        chaos.shims["redis"].fsync_delay(500)
        load = chaos.load(folder / "ledger", rate=RATE, connections=CONNECTIONS)
        try:
            load.wait_acknowledged(2 * RATE, 60)
            chaos.kill("server")
            time.sleep(1.5)
            for kind in ("edge", "redis"):
                chaos.kill(kind)
            chaos.restart_all()
            time.sleep(2)
            load.interrupt()
            load.result()
        finally:
            load.kill()
        chaos.heal()
        verification = measured.verify(build, chaos.stack, folder / "ledger")
        note(json.dumps(verification))
        return verification


def _alter_rows(build: Path, folder: Path, settings: dict[str, dict]) -> dict:
    """Deletes, alters and doubles one message each in a register that was in order."""
    note("== rows: one deleted, one altered, one doubled must be found")
    with ChaosStack(folder, build, settings) as chaos:
        stack, ledger = chaos.stack, folder / "ledger"
        load = chaos.load(ledger, rate=RATE, connections=CONNECTIONS)
        try:
            load.wait_acknowledged(2 * RATE, 60)
            load.interrupt()
            load.result()
        finally:
            load.kill()
        chaos.heal()
        verification = measured.verify(build, stack, ledger)
        figures = {"untouched_faults": sum(verification[name] for name in measured.FAULTS)}
        deleted, altered, doubled = [row[0] for row in stack.sql("SELECT HEX(id) FROM messages ORDER BY id LIMIT 3")]
        stack.sql(f"DELETE FROM messages WHERE id = UNHEX('{deleted}')")
        figures["deleted_lost"] = measured.verify(build, stack, ledger)["lost"]
        stack.sql("UPDATE messages SET encrypted_body = CONCAT(LEFT(encrypted_body, LENGTH(encrypted_body) - 1), "
                  f"CHAR(ASCII(RIGHT(encrypted_body, 1)) ^ 1)) WHERE id = UNHEX('{altered}')")
        figures["altered_corrupt"] = measured.verify(build, stack, ledger)["corrupt"]
        _send_again(stack, doubled)
        measured.wait_drained(stack, 60)
        verification = measured.verify(build, stack, ledger)
        note(json.dumps(verification))
        figures["doubled_duplicated"] = verification["duplicated"]
        return figures


def _send_again(stack: Stack, hex_id: str) -> None:
    """The body of a stored message once more, as its client: the same nonce under another id. A copied row would not open, since
    ciphertexts are bound to their message's id."""
    text = f"{hex_id[:8]}-{hex_id[8:12]}-{hex_id[12:16]}-{hex_id[16:20]}-{hex_id[20:]}".lower()
    message = stack.ctl_json("message", "get", text, "--full")
    message = message.get("message", message)
    leaf = stack.clients[message["client_id"]]
    context = ssl.create_default_context(cafile=str(stack.root_ca))
    context.load_cert_chain(leaf.certificate, leaf.key)
    connection = http.client.HTTPSConnection("localhost", stack.ports["edge"], context=context, timeout=10)
    body = json.dumps({"sender_number": message["sender_number"], "message_body": message["message_body"]})
    connection.request("POST", "/api/v1/messages", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    if answer.status != 202:
        raise measured.ProcessError(f"the edge answered {answer.status}: {answer.read().decode()}")
    connection.close()
