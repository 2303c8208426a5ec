"""The messages that `up` sends, and how it shows them travelling."""

import json
import shlex
import subprocess
import time
from pathlib import Path

import console
from processes import ProcessError, wait_until
from stack import ROOT, Stack

CLIENT = "demo"
_TEXTS = ("Hello from Postern.", "Grüße, 你好, 👋: any Unicode text of up to 1000 code points.",
          "This one carries metadata.")

# The steps of a message's life, by their names in posternctl's answer.
_STEPS = (("accepted", "accepted_at_us"), ("on disk", "durable_at_us"), ("registered", "registered_at_us"),
          ("delivered", "delivered_at_us"))
_DELIVERED = "MESSAGE_STATE_DELIVERED"


def _path(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def curl_command(stack: Stack, body: dict) -> list[str]:
    """A curl command that sends a message; works from the repository's root."""
    leaf = stack.clients[CLIENT]
    return ["curl", "--cert", _path(leaf.certificate), "--key", _path(leaf.key),
            "--cacert", _path(stack.root_ca), "--header", "Content-Type: application/json",
            "--data", json.dumps(body, ensure_ascii=False), f"{stack.edge_url}/api/v1/messages"]


def example(stack: Stack) -> str:
    """The same as a line for a shell."""
    return shlex.join(curl_command(stack, {"sender_number": "+14155550123", "message_body": "Hello"}))


def send_messages(stack: Stack) -> list[str]:
    """Sends the demo messages with curl; gives their ids."""
    ids = []
    for number, text in enumerate(_TEXTS):
        body = {"sender_number": f"+1415555012{number}", "message_body": text}
        if number == 2:
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            body["metadata"] = {"client_id": CLIENT, "timestamp": now, "client_ref": "demo-3"}
        done = subprocess.run([*curl_command(stack, body), "--silent", "--show-error"], cwd=ROOT, capture_output=True,
                              text=True, check=False)
        try:
            ids.append(json.loads(done.stdout)["id"])
        except (ValueError, KeyError):
            raise ProcessError(f"the edge did not accept a message: {done.stdout.strip()} {done.stderr.strip()}"
                               ) from None
    return ids


def show_timelines(stack: Stack, ids: list[str]) -> None:
    """Waits until the messages are delivered and prints when each step was."""
    rows = [["message", *(step for step, _ in _STEPS)]]
    for message_id in ids:
        message: dict = {}

        def delivered() -> bool:
            done = stack.ctl("message", "get", message_id, "-o", "json", check=False)
            if done.returncode == 0:
                message.update(json.loads(done.stdout))
            return message.get("state") == _DELIVERED

        wait_until(delivered, 30, f"the delivery of message {message_id}")
        rows.append([message_id, *_times(message)])
    console.table(rows)


def _times(message: dict) -> list[str]:
    # 64-bit numbers are strings in protobuf's JSON.
    moments = [int(message[field]) for _, field in _STEPS]
    first = moments[0]
    clock = time.strftime("%H:%M:%S", time.localtime(first / 1e6)) + f".{first // 1000 % 1000:03}"
    return [clock] + [f"+{(moment - first) / 1000:.1f} ms" if moment else "-" for moment in moments[1:]]
