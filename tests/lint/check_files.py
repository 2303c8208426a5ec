#!/usr/bin/env python3
"""Files stay short, end with a newline, hold no tabs, trailing blanks or notes for later, and scripts can be run."""

import os
import re
import sys
from pathlib import Path

import sources

_RULE = "Split long files by concern; do now what a note leaves for later, or make it an issue."

_LINES_MAX = 500
_SUFFIXES = ("", ".h", ".cc", ".c", ".py", ".sh", ".proto", ".sql", ".cmake", ".txt", ".yaml")
_NOTE = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")


def check_text(text: str) -> list[tuple[int, str]]:
    """Line and reason of each fault of a text."""
    lines = text.split("\n")
    faults = []
    if len(lines) - 1 > _LINES_MAX:
        faults.append((_LINES_MAX, f"{len(lines) - 1} lines; {_LINES_MAX} are the most"))
    if text and not text.endswith("\n"):
        faults.append((len(lines), "the last line has no newline"))
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            faults.append((number, "trailing blanks"))
        if "\t" in line:
            faults.append((number, "a tab"))
        if _NOTE.search(line):
            faults.append((number, "a note for later"))
    return faults


def check_file(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    faults = [f"{sources.shown(path)}:{line}: {reason}" for line, reason in check_text(text)]
    if text.startswith("#!") and not os.access(path, os.X_OK):
        faults.append(f"{sources.shown(path)}:1: a script that cannot be run: chmod +x")
    return faults


def main() -> int:
    faults = []
    for path in sources.files(*_SUFFIXES):
        if path.name != ".gitkeep":
            faults += check_file(path)
    return sources.report(faults, _RULE)


if __name__ == "__main__":
    sys.exit(main())
