"""Postern's own programs: their configuration and how they run."""

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from processes import Process


class Program:
    """One running `postern-…`. `kind`: edge, worker or server; `name`: of this instance, such as worker-1."""

    def __init__(self, kind: str, name: str, folder: Path, bin_folder: Path, ops_port: int,
                 guard: bool = True):
        self.kind = kind
        self.name = name
        self.folder = Path(folder)
        self.ops_port = ops_port
        self.config: dict = {}
        binary = Path(bin_folder) / f"postern-{kind}"
        command = [str(binary), "--config", str(self.folder / f"{kind}.yaml")]
        self.process = Process(name, command, self.folder / f"{name}.log", guard=guard,
                               scheduling=None if kind == "edge" else "yielding")

    def start(self, wait: bool = True, seconds: float = 30) -> None:
        """Writes its configuration and starts it; waits until it is ready, unless told otherwise."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_yaml(self.folder / f"{self.kind}.yaml", self.config)
        self.process.start()
        if wait:
            self.wait_ready(seconds)

    def wait_ready(self, seconds: float = 30) -> None:
        """Returns once /readyz answers 200."""
        self.process.wait_ready(self.ready, seconds)

    def ready(self) -> bool:
        """Whether /readyz answers 200 now."""
        return self.ops("/readyz")[0] == 200

    def ops(self, path: str) -> tuple[int, str]:
        """Status and body of a GET on its operations port; status 0 when nobody answers."""
        return get(self.ops_port, path)

    def metric(self, name: str, labels: str = "") -> float:
        """The sum of a metric's samples whose label part contains `labels`; 0 when there is none."""
        total = 0.0
        for line in self.ops("/metrics")[1].splitlines():
            sample, _, value = line.rpartition(" ")
            if sample.partition("{")[0] == name and labels in sample:
                total += float(value)
        return total

    def stop(self, seconds: float = 20) -> int | None:
        """SIGTERM, and waits; gives the exit code."""
        return self.process.stop(seconds)

    def kill(self) -> None:
        """SIGKILL, and waits until it is gone."""
        self.process.kill()

    def restart(self) -> None:
        """Stops and starts it."""
        self.stop()
        self.start()


def get(ops_port: int, path: str) -> tuple[int, str]:
    """Status and body of a GET on an operations port; status 0 when nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{ops_port}{path}", timeout=2) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (OSError, HTTPException):
        return 0, ""


def write_yaml(path: Path, config: dict) -> None:
    """Writes dotted keys ({"redis.port": 1}) as nested YAML."""
    tree: dict = {}
    for key, value in config.items():
        *parents, last = key.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    path.write_text("".join(_yaml_lines(tree, "")), encoding="utf-8")


def _yaml_lines(tree: dict, indent: str):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield f"{indent}{key}:\n"
            yield from _yaml_lines(value, indent + "  ")
        else:
            text = json.dumps(value, default=str)
            yield f"{indent}{key}: {text}\n"
