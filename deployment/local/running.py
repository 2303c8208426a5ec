"""The local stack that `up` left running: found again by its files."""

import fcntl
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from processes import Process, ProcessError
from stack import ROOT, Stack

DEFAULT_FOLDER = ROOT / ".run"

# Where things are, unless somebody else listens there.
PORTS = {"edge": 8443, "server": 9443, "portal": 8444, "redis": 6390, "mariadb": 3390,
         "edge_ops": 9101, "worker_ops": 9100, "server_ops": 9102, "portal_ops": 9103}

_MADE = ("audit", "certs", "secrets", "redis", "mariadb", "server-*", "edge-*", "worker-*", "portal-*", "posternctl.yaml", "local.json")

_STOP_ORDER = ("portal", "edge", "worker", "server", "redis", "mariadb")


def _rank(process: Process) -> int:
    return _STOP_ORDER.index(process.name.partition("-")[0])


def processes(folder: Path) -> list[Process]:
    """Everything that was started and not stopped in order, in the order to stop it; some may have ended by
    themselves."""
    found = []
    for pid_file in folder.glob("*/*.pid"):
        try:
            found.append(Process.attached(pid_file))
        except (OSError, ValueError, KeyError):
            continue  # It ended just now, or was cut off while it was written.
    return sorted(found, key=lambda process: (_rank(process), process.name))


def stop_all(folder: Path, say=lambda text: None) -> list[str]:
    """Stops what runs, in order. Gives what went wrong, a text each."""
    faults = []
    for process in processes(folder):
        if not process.running():
            process.wait_exit(0)  # Takes its pid file away.
            continue
        say(f"stopping {process.name} (pid {process.pid})")
        try:
            process.stop(60)
        except ProcessError as error:
            faults.append(str(error))
    return faults


def purge(folder: Path) -> None:
    """Takes away what the stack made, and the folder if nothing else is in it."""
    for pattern in _MADE:
        for path in folder.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def save(stack: Stack) -> None:
    """Writes down what `status` has to know."""
    programs = {name: program.ops_port for name, program in stack.programs.items()}
    record = {"ports": stack.ports, "build": str(stack.build), "ops": programs, "clients": stack.client_ids}
    (stack.folder / "local.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def load(folder: Path) -> dict:
    """What `save` wrote; empty when there is nothing."""
    try:
        return json.loads((folder / "local.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


@contextmanager
def locked(folder: Path):
    """Holds the folder's lock: one `up` or `down` at a time. ProcessError when another one is at work."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ProcessError("another up or down is at work here") from None
    finally:
        os.close(descriptor)
