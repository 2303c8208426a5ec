"""The tools of tests/chaos: the gate, the preload for disk and clock, and one scenario of `faults` from end to end."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

from support import BUILD, wait_until

CHAOS = Path(__file__).resolve().parents[1] / "chaos"
sys.path.insert(0, str(CHAOS))

from gate import Gate  # noqa: E402
from shim import Shim  # noqa: E402


class Echo:
    """Listens on a free port and sends everything back."""

    def __enter__(self) -> "Echo":
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    connection.sendall(data)
            except OSError:
                return


class TheGate(unittest.TestCase):
    def setUp(self) -> None:
        self.echo = self.enterContext(Echo())
        self.gate = self.enterContext(Gate(lambda: self.echo.port))

    def connect(self) -> socket.socket:
        return self.enterContext(socket.create_connection(("127.0.0.1", self.gate.port), timeout=5))

    def ask(self, connection: socket.socket, data: bytes = b"hello") -> bytes:
        connection.sendall(data)
        answer = b""
        while len(answer) < len(data) and (more := connection.recv(65536)):
            answer += more
        return answer

    def test_passes_everything_and_the_end(self):
        connection = self.connect()
        data = os.urandom(300_000)
        sender = threading.Thread(target=connection.sendall, args=(data,))
        sender.start()
        answer = b""
        while len(answer) < len(data):
            answer += connection.recv(65536)
        sender.join()
        self.assertEqual(answer, data)
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(connection.recv(1), b"")

    def test_latency_and_bandwidth(self):
        connection = self.connect()
        for disturbance in ({"latency_ms": 100, "jitter_ms": 20}, {"bytes_per_s": 25}):
            self.gate.disturb(**disturbance)
            begin = time.monotonic()
            self.assertEqual(self.ask(connection), b"hello")
            self.assertGreaterEqual(time.monotonic() - begin, 0.2)
        self.gate.clear()

    def test_slices(self):
        connection = self.connect()
        self.gate.disturb(slice_bytes=1)
        self.assertEqual(self.ask(connection, b"0123456789" * 50), b"0123456789" * 50)

    def test_stalls_one_way_and_gives_what_it_held(self):
        connection = self.connect()
        self.assertEqual(self.ask(connection), b"hello")
        self.gate.stall("down")
        connection.sendall(b"held")
        wait_until(lambda: self.gate.bytes["up"] == 9, 5, "the way up to pass")
        connection.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            connection.recv(10)
        self.gate.clear()
        connection.settimeout(5)
        self.assertEqual(connection.recv(10), b"held")

    def test_reset_and_cut(self):
        connection = self.connect()
        self.assertEqual(self.ask(connection), b"hello")
        self.assertEqual(self.gate.reset(), 1)
        with self.assertRaises(ConnectionResetError):
            connection.recv(1)
        self.assertEqual(self.ask(self.connect()), b"hello")
        self.gate.cut()
        with self.assertRaises(ConnectionRefusedError):
            self.connect()
        self.gate.clear()
        self.assertEqual(self.ask(self.connect()), b"hello")


class TheShim(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        self.shim = Shim(BUILD / "bin" / "fault_shim.so", self.folder, "test", self.disk)

    def run_python(self, script: str) -> str:
        done = subprocess.run([sys.executable, "-c", script], env=os.environ | self.shim.env, capture_output=True, text=True,
                              timeout=20, check=False)
        return (done.stdout + done.stderr).strip()

    def write(self, path: Path, mode: str, data: bytes) -> str:
        return self.run_python(f"f = open({str(path)!r}, {mode!r}); f.write({data!r}); f.close()")

    def test_a_full_disk_takes_what_makes_no_file_longer(self):
        file = self.disk / "file"
        file.write_bytes(b"old")
        self.shim.disk_full(True)
        self.assertIn("No space left", self.write(file, "ab", b"x"))
        self.assertEqual(self.write(file, "r+b", b"new"), "")
        self.assertEqual(self.write(self.folder / "other", "wb", b"x"), "")
        self.shim.clear()
        self.assertEqual(self.write(file, "ab", b"x"), "")
        self.assertEqual(file.read_bytes(), b"newx")

    def test_the_clock_is_wrong_and_waits_are_not(self):
        self.shim.clock_shift(-7200)
        self.assertAlmostEqual(float(self.run_python("import time; print(time.time())")), time.time() - 7200, delta=10)
        self.assertEqual(self.run_python("import threading, time; t = time.monotonic(); threading.Event().wait(0.1); "
                                         "print(0.1 <= time.monotonic() - t < 5)"), "True")

    def test_a_slow_fsync(self):
        self.shim.fsync_delay(200)
        script = f"import os, time; f = open({str(self.disk / 'f')!r}, 'wb'); t = time.monotonic(); os.fsync(f); print(time.monotonic() - t)"
        self.assertGreaterEqual(float(self.run_python(script)), 0.2)


class Faults(unittest.TestCase):
    def test_a_scenario_from_end_to_end(self):
        done = subprocess.run([str(CHAOS / "faults"), "--build", str(BUILD), "--json", "--seed", "7", "--only", "clock-redis-back"],
                              capture_output=True, text=True, timeout=200, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr[-3000:])
        figures = json.loads(done.stdout)
        self.assertEqual((figures["scenarios"], figures["failed"], figures["lost"]), (1, 0, 0))
        self.assertGreater(figures["acknowledged"], 0)


if __name__ == "__main__":
    unittest.main()
