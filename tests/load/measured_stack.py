"""What the measuring commands share: a private stack of the release build on a real disk, the load generator, CPU by program."""

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deployment" / "local"))

from processes import Process, ProcessError, free_port, port_is_free, wait_until  # noqa: E402
from stack import Stack  # noqa: E402

__all__ = ["FAULTS", "Load", "MARIADB_OPTIONS", "Meter", "Process", "ProcessError", "ROOT", "Stack", "add_common_options",
           "free_port", "fsync_micros", "ledger_closed", "load_arguments", "note", "overrides", "port_is_free",
           "preload", "private_folder", "program_pids", "release_build", "show", "verify", "wait_drained", "wait_until"]

TARGETS = ["postern-edge", "postern-worker", "postern-server", "postern-portal", "posternctl", "postern-load", "fsync_watch",
           "fault_shim"]

# Sizes of a machine with memory to give; the stack makes them small for tests.
MARIADB_OPTIONS = {"innodb_buffer_pool_size": "4G", "innodb_log_file_size": "2G"}

# A preload has ended with so few pages that are not on disk, of 16 KiB.
DIRTY_PAGES_MAX = 1000
FLUSH_SECONDS_MAX = 300

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def note(text: str) -> None:
    """Says to people what goes on."""
    print(text, file=sys.stderr, flush=True)


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """The options that every measuring command has."""
    parser.add_argument("--json", action="store_true", help="one JSON line on stdout")
    parser.add_argument("--build", type=Path, help="build folder to use as it is (default: build/release, brought up to date)")
    parser.add_argument("--keep", action="store_true", help="keep the stack's folder")
    parser.add_argument("--set", action="append", default=[], metavar="PROGRAM.KEY=VALUE", dest="settings",
                        help="a configuration key, such as edge.redis.flush_interval_us=1000; of Redis and MariaDB too")


def overrides(settings: list[str]) -> dict[str, dict]:
    """The `--set` options as the stack takes them."""
    result: dict[str, dict] = {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        program, dot, key = name.partition(".")
        if not (separator and dot):
            raise SystemExit(f"--set {setting}: want PROGRAM.KEY=VALUE")
        result.setdefault(program, {})[key] = json.loads(value) if value.replace(".", "", 1).isdigit() else value
    return result


def release_build(build: Path | None) -> Path:
    """A build folder with everything in it; makes build/release, or brings it up to date, unless another one is given."""
    if build is not None:
        return build.resolve()
    folder = ROOT / "build" / "release"
    if not (folder / "build.ninja").exists():
        note("configuring the release build")
        subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True, stdout=sys.stderr)
    note("building")
    subprocess.run(["ninja", "-C", str(folder), *TARGETS], check=True, stdout=sys.stderr)
    return folder


@contextlib.contextmanager
def private_folder(name: str, keep: bool) -> Iterator[Path]:
    """A new folder on the repository's disk, gone at the end."""
    parent = ROOT / ".run"
    parent.mkdir(exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
    try:
        yield folder
    finally:
        if keep:
            note(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def fsync_micros(folder: Path, times: int = 200) -> float:
    """The median time of an append of 4 KiB with its fdatasync, in microseconds."""
    path = folder / "fsync_probe"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    block, took = os.urandom(4096), []
    for _ in range(times):
        os.write(descriptor, block)
        begin = time.perf_counter()
        os.fdatasync(descriptor)
        took.append((time.perf_counter() - begin) * 1e6)
    os.close(descriptor)
    path.unlink()
    return round(statistics.median(took), 1)


def cpu_micros(pid: int) -> int:
    """Processor time that a process has used, in microseconds, those of its children that ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) * 1_000_000 // TICKS_PER_SECOND


def rss_mb(pid: int) -> float:
    """Resident memory in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def machine_cpu() -> tuple[int, int]:
    """Busy and all processor time of the machine since its start, in ticks."""
    fields = [int(field) for field in Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


class Meter:
    """CPU and memory of processes between begin and end."""

    def __init__(self, pids: dict[str, int]):
        self._pids = pids
        self.cpu_us: dict[str, int] = {}
        self.rss_mb: dict[str, float] = {}
        self.machine_busy = 0.0
        self._begin: dict[str, int] = {}
        self._machine = (0, 0)

    def begin(self) -> None:
        """Starts counting."""
        self._begin = {name: cpu_micros(pid) for name, pid in self._pids.items()}
        self.rss_mb = {name: rss_mb(pid) for name, pid in self._pids.items()}
        self._machine = machine_cpu()

    def end(self) -> None:
        """Stops counting."""
        self.cpu_us = {name: cpu_micros(pid) - self._begin[name] for name, pid in self._pids.items()}
        # Zero for one that has just ended.
        self.rss_mb = {name: rss_mb(pid) or self.rss_mb[name] for name, pid in self._pids.items()}
        busy, total = machine_cpu()
        self.machine_busy = (busy - self._machine[0]) / max(1, total - self._machine[1])


def program_pids(stack: Stack) -> dict[str, int]:
    """Process ids by program; of several workers the first."""
    return {"edge": stack.programs["edge-1"].process.pid, "redis": stack.redis.process.pid,
            "worker": stack.programs["worker-1"].process.pid, "server": stack.programs["server-1"].process.pid,
            "mariadb": stack.mariadb.process.pid}


class Load:
    """One run of `postern-load run`. Its progress goes on to stderr. Callbacks come from a thread of their own."""

    def __init__(self, build: Path, arguments: list[str], on_begin=None, on_end=None):
        command = [str(build / "bin" / "postern-load"), "run", "--json", *map(str, arguments)]
        self._callbacks = {"window begins": on_begin, "window ends": on_end}
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.pid = self._child.pid
        self.acknowledged = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._child.stderr:
            note(line.rstrip())
            words = line.split()
            if len(words) > 2 and words[1] == "s" and words[2].endswith("/s"):
                self.acknowledged += int(words[2].removesuffix("/s"))
            callback = self._callbacks.get(line.strip())
            if callback is not None:
                callback(self)

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._child.poll() is None

    def wait_acknowledged(self, count: int, seconds: float) -> None:
        """Returns once so many messages are acknowledged."""
        wait_until(lambda: self.acknowledged >= count or not self.running(), seconds, f"{count} acknowledged messages")

    def pause(self) -> None:
        """Stops it in the middle of what it does."""
        self._child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on."""
        self._child.send_signal(signal.SIGCONT)

    def interrupt(self) -> None:
        """Asks it to end."""
        if self.running():
            self._child.send_signal(2)

    def result(self) -> dict:
        """Waits for its end; its figures. ProcessError when it failed."""
        output = self._child.stdout.read()
        self._reader.join()
        code = self._child.wait()
        if code != 0 or not output:
            raise ProcessError(f"postern-load ended with exit code {code}")
        return json.loads(output)

    def kill(self) -> None:
        """Ends it at once, if it runs."""
        if self.running():
            self._child.kill()
            self._child.wait()


def preload(build: Path, stack: Stack, messages: int, clients: int, days: int = 1, sample: Path | None = None,
            delivered_only: bool = False) -> dict:
    """Fills the register of a stack whose programs never ran, on disk when it returns; says how fast. `sample`: a new file for some
    of the messages."""
    note(f"storing {messages} messages of {clients} clients")
    secrets = stack.folder / "secrets"
    command = [str(build / "bin" / "postern-load"), "preload", "--messages", str(messages), "--clients", str(clients), "--days",
               str(days), "--ctl-config", str(stack.ctl_config), "--master-key", str(secrets / "master.key"), "--index-key",
               str(secrets / "index.key"), *(["--sample", str(sample)] if sample else []), *(["--delivered-only"] if delivered_only else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ProcessError(done.stderr.strip())
    note(done.stdout.strip())
    # The stack registers its own ones, with their certificates.
    names = ",".join(f"'{name}'" for name in stack.client_ids)
    stack.sql(f"DELETE FROM clients WHERE client_id IN ({names})")
    wait_written_back(stack)
    return json.loads(done.stdout)


def wait_written_back(stack: Stack) -> None:
    """Returns once MariaDB has written what it holds in memory to disk, so that a load does not pay for what was before it."""
    note("writing out what the database has in memory")
    names = ("innodb_io_capacity_max", "innodb_io_capacity", "innodb_max_dirty_pages_pct")
    before = stack.sql("SELECT " + ", ".join(f"@@GLOBAL.{name}" for name in names))[0]
    for name, value in zip(names, (40_000, 20_000, 0)):
        stack.sql(f"SET GLOBAL {name} = {value}")

    def written() -> bool:
        dirty = int(stack.sql("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")[0][1])
        if dirty >= DIRTY_PAGES_MAX:
            time.sleep(0.5)
        return dirty < DIRTY_PAGES_MAX
    wait_until(written, FLUSH_SECONDS_MAX, "the database to write its pages")
    for name, value in reversed(list(zip(names, before))):
        stack.sql(f"SET GLOBAL {name} = {value}")


def load_arguments(stack: Stack, port: int | None = None, **options) -> list[str]:
    """Arguments of `postern-load run` against the stack's edge, or what leads there at another port."""
    arguments = ["--host", "localhost", "--port", str(port or stack.ports["edge"]), "--trust", str(stack.root_ca),
                 "--clients", str(next(iter(stack.clients.values())).certificate.parent)]
    for name, value in options.items():
        if value is not None:
            arguments += [f"--{name.replace('_', '-')}", str(value)]
    return arguments


def ledger(stack: Stack) -> dict:
    """The main server's ledger, numbers as numbers; empty while it cannot tell."""
    done = stack.ctl("ledger", "-o", "json", check=False)
    figures = json.loads(done.stdout) if done.returncode == 0 else {}
    return {key: int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else value
            for key, value in figures.items()}


def wait_drained(stack: Stack, seconds: float) -> None:
    """Returns once nothing is pending and nothing lies in the queue."""
    def drained() -> bool:
        if int(stack.sql("SELECT COUNT(*) FROM pending WHERE state <> 4")[0][0]) > 0:
            time.sleep(0.2)
            return False
        return ledger(stack).get("queued_entries") == 0
    try:
        wait_until(drained, seconds, "everything to be delivered")
    except ProcessError as error:
        pending = stack.sql("SELECT state, COUNT(*), MAX(attempts), MIN(reason), MAX(reason) FROM pending GROUP BY state")
        raise ProcessError(f"{error}; pending {pending}, ledger {ledger(stack)}") from error


def ledger_closed(stack: Stack, seconds: float = 30) -> int:
    """1 once the ledger is closed, 0 when it is not in time."""
    def closed() -> bool:
        figures = ledger(stack)
        return bool(figures.get("closed")) and figures.get("gap") == 0
    try:
        wait_until(closed, seconds, "the ledger to close")
        return 1
    except ProcessError:
        note(f"the ledger: {ledger(stack)}")
        return 0


def verify(build: Path, stack: Stack, path: Path, any_time: bool = False) -> dict:
    """`postern-load verify` of a ledger. `any_time`: nothing was stored before its load, whatever an edge's clock said.
    ProcessError when it could not compare."""
    done = subprocess.run([str(build / "bin" / "postern-load"), "verify", "--ledger", str(path), "--ctl-config",
                           str(stack.ctl_config), *(["--any-time"] if any_time else [])],
                          capture_output=True, text=True, check=False)
    if not done.stdout:
        raise ProcessError(f"postern-load verify: {done.stderr.strip()}")
    return json.loads(done.stdout)


FAULTS = ("lost", "duplicated", "phantom", "corrupt", "misattributed", "unlisted")


def show(figures: dict, as_json: bool) -> None:
    """Prints the figures: a JSON line, or a list for people."""
    if as_json:
        print(json.dumps(figures), flush=True)
        return
    for name, value in figures.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {figure}" for key, figure in value.items())
        print(f"{name:24} {value}", flush=True)
