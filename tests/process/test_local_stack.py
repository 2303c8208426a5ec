"""deployment/local: up, status and down, as a newcomer uses them."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import BUILD, Process, wait_until

ROOT = Path(__file__).resolve().parents[2]


@unittest.skipUnless(BUILD.parent == ROOT / "build", "up runs a preset's build folder")
class LocalStack(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="postern-up-")) / "run"
        self.addCleanup(shutil.rmtree, self.folder.parent, ignore_errors=True)
        self.addCleanup(self.command, "down", "--purge")

    def command(self, name: str, *words: str) -> subprocess.CompletedProcess:
        command = [str(ROOT / "deployment" / "local" / name), "--folder", str(self.folder), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)

    def up(self) -> str:
        done = self.command("up", "--no-build", "--build", BUILD.name, "--workers", "2")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def pid(self, name: str) -> int:
        return json.loads((self.folder / name / f"{name}.pid").read_text())["pid"]

    def test_life_of_a_stack(self):
        self.assertEqual(self.command("status").returncode, 3)

        shown = self.up()
        self.assertEqual(len(re.findall(r"^  [0-9a-f-]{36}  \S+ +(\+[0-9.]+ ms *){3}$", shown, re.MULTILINE)), 3, shown)
        self.assertEqual(self.command("status").returncode, 0)

        # The printed lines work as pasted.
        curl = next(line for line in shown.splitlines() if line.strip().startswith("curl "))
        sent = subprocess.run(shlex.split(curl), capture_output=True, text=True, cwd=ROOT, check=True)
        message_id = json.loads(sent.stdout)["id"]
        line = next(line for line in shown.splitlines() if " message get " in line)
        get = [*shlex.split(line)[:-1], message_id]
        wait_until(lambda: subprocess.run(get, capture_output=True, cwd=ROOT, check=False).returncode == 0, 10,
                   "the pasted message")

        # What the portal has to show: the dead letters of the start, in the statistics as in the register.
        stats = [*shlex.split(line)[:-3], "stats", "-o", "json"]

        def dead() -> tuple[int, int]:
            shown = json.loads(subprocess.run(stats, capture_output=True, text=True, cwd=ROOT, check=True).stdout)
            return int(shown["dead"]), int(shown["last_hour"]["dead"])

        wait_until(lambda: dead() == (3, 3), 10, "the dead letters in the statistics")

        again = self.command("up", "--no-build", "--build", BUILD.name)
        self.assertEqual(again.returncode, 0)
        self.assertIn("running already", again.stdout)

        # A program that died is seen, and the next up puts it right.
        os.kill(self.pid("worker-1"), signal.SIGKILL)
        wait_until(lambda: self.command("status").returncode == 1, 5, "status to see the death")
        self.assertIn("worker-1 has ended", self.up())
        self.assertEqual(self.command("status").returncode, 0)

        processes = [Process.attached(pid_file) for pid_file in self.folder.glob("*/*.pid")]
        self.assertEqual(len(processes), 7)
        down = self.command("down")
        self.assertEqual(down.returncode, 0, down.stdout + down.stderr)
        order = re.findall(r"stopping (\S+)", down.stdout)
        self.assertEqual(order, ["portal-1", "edge-1", "worker-1", "worker-2", "server-1", "redis", "mariadb"])
        self.assertFalse([process.name for process in processes if process.running()])
        self.assertEqual(self.command("status").returncode, 3)

        self.assertEqual(self.command("down", "--purge").returncode, 0)
        self.assertFalse(self.folder.exists())


if __name__ == "__main__":
    unittest.main()
