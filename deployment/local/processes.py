"""Starting, watching and stopping programs by their process id."""

import json
import os
import random
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable

# A child with a death signal is killed when the *thread* that started it ends, so one thread starts them all; it
# ends with the interpreter.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

_SCHEDULING = Path(__file__).resolve().parent / "scheduling.py"

# Below the range that the kernel takes ports for outgoing connections from.
_PORTS = range(20000, 32000)
_BLOCK = 100
# Ports that this process may still give, and what keeps other processes away from its blocks.
_own_ports: list[int] = []
_claims: list[socket.socket] = []


class ProcessError(Exception):
    """What went wrong with a program, for people, with the end of its log."""


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now, and that neither this process nor another one
    that lives was given: a server may take its time to start."""
    while True:
        while _own_ports:
            if port_is_free(port := _own_ports.pop()):
                return port
        _own_ports.extend(_claim_ports())


def _claim_ports() -> range:
    """A block of ports for this process alone, until it ends. The claim is a socket with an abstract name (unix(7)): it
    belongs to the network namespace, as the ports do, and leaves no file."""
    blocks = range(_PORTS.start, _PORTS.stop, _BLOCK)
    for first in random.sample(blocks, len(blocks)):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0postern-ports-{first}")
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return range(first, first + _BLOCK)
    raise ProcessError(f"found no free port on 127.0.0.1: other processes use all of {_PORTS.start} to {_PORTS.stop - 1}")


def port_is_free(port: int) -> bool:
    """Whether a program could listen on this port of the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Returns once `condition` holds; ProcessError naming `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ProcessError(f"waited {seconds:g} s for {what}, in vain")
        time.sleep(0.02)


def _started_at(pid: int) -> int | None:
    """When the process began, in clock ticks since boot: with the pid it names one process for ever. None: there is
    none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


class Process:
    """One program in a process group of its own, its output appended to a log file. A file beside the log, ending in
    `.pid`, says which process it is while it runs, for `attached`.

    `guard`: it is killed when this Python process ends, however that ends.
    `scheduling`: its place among the programs of this machine, "prompt" or "yielding": see scheduling.py.
    `listener`, where it is set before the start: a listening socket that it is handed over as systemd does.
    """

    # False: every program of this Python process runs like any other.
    scheduled = True

    def __init__(self, name: str, command: list[str], log: Path, env: dict[str, str] | None = None,
                 guard: bool = True, scheduling: str | None = None):
        self.name = name
        self.command = [str(word) for word in command]
        self.log = Path(log)
        self.env = env or {}
        self.guard = guard
        self.scheduling = scheduling
        self.listener: socket.socket | None = None
        self.pid: int | None = None
        self.started: int | None = None
        self.exit_code: int | None = None
        self._child: subprocess.Popen | None = None

    def start(self) -> None:
        """Starts it; ProcessError if it runs."""
        if self.running():
            raise ProcessError(f"{self.name} runs already (pid {self.pid})")
        command = self.command
        if self.scheduled and self.scheduling is not None:
            command = [str(_SCHEDULING), self.scheduling, *command]
        if self.guard:
            command = ["setpriv", "--pdeathsig", "KILL", *command]
        descriptors = ()
        if self.listener is not None:
            descriptors = (self.listener.fileno(),)
            handed = f'exec 3<&{descriptors[0]}; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
            command = ["sh", "-c", handed, "sh", *command]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._child = _spawner.submit(
                subprocess.Popen, command, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, env=os.environ | self.env, start_new_session=True, pass_fds=descriptors).result()
        self.pid = self._child.pid
        self.started = _started_at(self.pid)
        self.exit_code = None
        self._pid_file.write_text(json.dumps({"name": self.name, "pid": self.pid, "started": self.started}))

    @property
    def _pid_file(self) -> Path:
        return self.log.with_suffix(".pid")

    @classmethod
    def attached(cls, pid_file: Path) -> "Process":
        """A process that another Python process started, running or not."""
        record = json.loads(pid_file.read_text())
        process = cls(record["name"], [], pid_file.with_suffix(".log"), guard=False)
        process.pid, process.started = record["pid"], record["started"]
        return process

    def running(self) -> bool:
        """Whether it runs (or is stopped by a signal). Sets `exit_code` when a child has ended: -N for signal N."""
        if self.pid is None:
            return False
        if self._child is not None:
            self.exit_code = self._child.poll()
            return self.exit_code is None
        return self.started is not None and _started_at(self.pid) == self.started

    def send(self, number: int) -> None:
        """Sends a signal, if it runs."""
        if self.running():
            os.kill(self.pid, number)

    def pause(self) -> None:
        """SIGSTOP."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.send(signal.SIGCONT)

    def wait_exit(self, seconds: float) -> int | None:
        """Waits for its end; gives its exit code (None when it is not our child)."""
        wait_until(lambda: not self.running(), seconds, f"the end of {self.name}")
        self._pid_file.unlink(missing_ok=True)
        return self.exit_code

    def kill(self) -> None:
        """SIGKILL, and waits until it is gone."""
        self.send(signal.SIGKILL)
        self.wait_exit(10)

    def stop(self, seconds: float = 20) -> int | None:
        """SIGTERM; gives its exit code. ProcessError if it had to be killed after `seconds`."""
        self.send(signal.SIGTERM)
        self.resume()
        try:
            return self.wait_exit(seconds)
        except ProcessError as error:
            self.kill()
            raise ProcessError(f"{self.name} did not stop within {seconds:g} s of SIGTERM and was killed"
                               f"{self.tail()}") from error

    def wait_ready(self, ready: Callable[[], bool], seconds: float = 20) -> None:
        """Returns once `ready` holds; ProcessError with the end of the log when it does not, or when the program
        ends."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running():
                raise ProcessError(f"{self.name} ended while it started (exit code {self.exit_code}){self.tail()}")
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name} was not ready after {seconds:g} s{self.tail()}")
            time.sleep(0.02)

    def tail(self, lines: int = 15) -> str:
        """The end of its log, as a paragraph to append to an error."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
        except OSError:
            text = []
        return "".join(f"\n  | {line}" for line in [f"end of {self.log}:", *text])

    def resources(self) -> dict[str, float]:
        """CPU seconds (user and system) and resident MB of the running process."""
        stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = stat.rpartition(")")[2].split()
        cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return {"cpu_s": cpu, "rss_mb": int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6}
