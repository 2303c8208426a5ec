"""The samples of the documents: each line is run as it is printed. grpcurl's lines are run by `buf curl`, which speaks the same."""

import json
import os
import re
import shlex
import subprocess
import sys
import unittest
import uuid
from pathlib import Path

from support import BUF, NUMBER, ROOT, ProcessTest, wait_until

sys.path.insert(0, str(ROOT / "docs" / "samples" / "python"))

import postern_client  # noqa: E402
from postern_client import PosternClient  # noqa: E402


def blocks(document: str) -> list[str]:
    """The shell lines of a document, but for the first block, which sets the variables."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    return re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)[1:]


class Samples(ProcessTest):
    options = {"clients": 2, "workers": 1}

    def variables(self) -> dict[str, str]:
        leaf = self.stack.clients["client-00"]
        return os.environ | {"EDGE": self.stack.edge_url, "TRUST": str(self.stack.root_ca), "CERT": str(leaf.certificate),
                             "KEY": str(leaf.key)}

    def python_client(self, client_id: str = "client-00", **options) -> PosternClient:
        leaf = self.stack.clients[client_id]
        client = PosternClient(self.stack.edge_url, str(self.stack.root_ca), str(leaf.certificate), str(leaf.key), **options)
        self.addCleanup(client.close)
        return client

    def run_block(self, block: str) -> str:
        done = subprocess.run(["bash", "-euc", block], cwd=ROOT, env=self.variables(), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, f"{block}\n{done.stdout}{done.stderr}")
        return done.stdout

    def test_quickstart(self):
        health, send, listed, batch, wrong, python = blocks("api/quickstart.md")
        self.assertEqual(json.loads(self.run_block(health))["status"], "pass")
        first = self.run_block(send)
        self.assertEqual(self.run_block(send), first)
        message_id = json.loads(first)["id"]
        wait_until(lambda: [entry["id"] for entry in json.loads(self.run_block(listed))["messages"]] == [message_id], 15, "the message")
        self.assertEqual(json.loads(self.run_block(batch))["accepted"], 2)
        self.assertEqual(len(json.loads(self.run_block(wrong))["errors"]), 2)
        self.assertTrue(self.run_block(python).strip().endswith("delivered"))

    def test_python_client(self):
        client = self.python_client()
        sent = client.send(NUMBER, "from the sample", client_ref="sample-1", key="sample-key")
        self.assertFalse(sent.replayed)
        again = client.send(NUMBER, "from the sample", client_ref="sample-1", key="sample-key")
        self.assertTrue(again.replayed)
        self.assertEqual(again.id, sent.id)
        self.assertEqual(client.wait_until_delivered(sent.id, 20).status, "delivered")
        self.assertEqual([message.id for message in client.list(client_ref="sample-1")], [sent.id])
        with self.assertRaises(postern_client.IdempotencyKeyReused):
            client.send(NUMBER, "another", key="sample-key")
        with self.assertRaises(postern_client.ValidationFailed) as invalid:
            client.send("12", "")
        self.assertEqual(len(invalid.exception.errors), 2)
        with self.assertRaises(postern_client.NotFound):
            client.get(str(uuid.uuid4()))

    def test_python_client_in_batches(self):
        client = self.python_client()
        outcomes = client.send_batch([{"number": NUMBER, "text": "one"}, {"number": "12", "text": "two"}, {"number": NUMBER, "text": "three"}])
        self.assertIsInstance(outcomes[0], postern_client.Accepted)
        self.assertIsInstance(outcomes[1], postern_client.ValidationFailed)
        self.assertIsInstance(outcomes[2], postern_client.Accepted)

    def test_python_client_waits_as_long_as_it_is_told(self):
        self.stack.ctl("client", "limit", "client-01", "--per-second", "2", "--burst", "2")
        self.addCleanup(self.stack.ctl, "client", "limit", "client-01", "--default")
        client = self.python_client("client-01")
        sent = [client.send(NUMBER, f"slowly {i}") for i in range(5)]
        self.assertEqual(len({message.id for message in sent}), 5)
        outcomes = client.send_batch([{"number": NUMBER, "text": f"slow batch {i}"} for i in range(4)])
        self.assertEqual([type(outcome) for outcome in outcomes], [postern_client.Accepted] * 4)

    def test_python_client_over_a_restart_of_the_edge(self):
        client = self.python_client()
        first = client.send(NUMBER, "before")
        self.addCleanup(self.ensure_running)
        edge = self.stack.programs["edge-1"]
        edge.kill()
        edge.start(wait=False)
        second = client.send(NUMBER, "after")
        self.assertEqual(client.send(NUMBER, "before", key=first.key).id, first.id)
        self.assertEqual(client.wait_until_delivered(second.id, 20).status, "delivered")
        with self.assertRaises(postern_client.NotAnswered):
            edge.stop()
            self.python_client(patience=1).send(NUMBER, "nobody is there")

    def test_grpcurl(self):
        lines = [line for block in blocks("grpcurl.md") for line in block.splitlines() if line]
        self.assertGreater(len(lines), 10)
        leaf = self.stack.authority.leaf("operator", "local")
        variables = {"SERVER": self.stack.server_target, "TRUST": str(self.stack.authority.services_anchor), "CERT": str(leaf.certificate),
                     "KEY": str(leaf.key)}
        for line in lines:
            with self.subTest(line=line):
                words = [re.sub(r"\$(\w+)", lambda match: variables[match[1]], word) for word in shlex.split(line)]
                self.assertEqual(words[0], "grpcurl")
                done = subprocess.run(self.as_buf(words[1:]), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(done.stdout.strip())

    @staticmethod
    def as_buf(words: list[str]) -> list[str]:
        """The same call for `buf curl`."""
        options = dict(zip(words[:-2:2], words[1:-2:2]))
        target, what = words[-2:]
        command = [str(BUF), "curl", "--protocol", "grpc", "--cacert", options["-cacert"], "--cert", options["-cert"], "--key", options["-key"],
                   "--reflect", "--reflect-protocol", "grpc-v1alpha"]
        if what == "list":
            return [*command, "--list-services", f"https://{target}"]
        return [*command, "--data", options["-d"], f"https://{target}/{what}"]


if __name__ == "__main__":
    unittest.main()
