"""The project's own files, for the lint checks."""

import os
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).resolve().parents[2]

_FOLDERS = ("proto", "edge_proxy", "services", "worker", "portal", "certs", "deployment", "tests", ".ci")
# Made by tools, not by people.
_SKIPPED = {"node_modules", "__pycache__", "generated"}


def files(*suffixes: str) -> Iterator[Path]:
    """Every file with one of the suffixes ("" for none), sorted, absolute."""
    for top in _FOLDERS:
        for folder, names, file_names in os.walk(ROOT / top):
            names[:] = sorted(name for name in names if name not in _SKIPPED)
            for name in sorted(file_names):
                path = Path(folder) / name
                if path.suffix in suffixes:
                    yield path


def cpp() -> list[Path]:
    """Every C++ source and header."""
    return list(files(".h", ".cc"))


def shown(path: Path) -> str:
    """The path as people write it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def report(faults: list[str], rule: str) -> int:
    """Prints the faults and, when there are any, the rule that they break; gives the exit code."""
    for fault in faults:
        print(fault)
    if faults:
        print(f"\n{len(faults)} faults. {rule}")
    return 1 if faults else 0
