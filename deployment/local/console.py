"""What up, down and status print."""

import os
import sys

_COLOURS = {"bold": "1", "green": "32", "red": "31", "yellow": "33", "dim": "2"}
_plain = bool(os.environ.get("NO_COLOR")) or not sys.stdout.isatty()


def paint(text: str, colour: str) -> str:
    """The text in a colour, where the terminal and the user want that (https://no-color.org)."""
    return text if _plain else f"\033[{_COLOURS[colour]}m{text}\033[0m"


def heading(text: str) -> None:
    """The start of a paragraph."""
    print(f"\n{paint(text, 'bold')}", flush=True)


def step(text: str) -> None:
    """One thing that is done now."""
    print(f"  {text}", flush=True)


def fail(program: str, text: str) -> None:
    """An error, to standard error."""
    print(f"{program}: {text}", file=sys.stderr)


def table(rows: list[list[str]], indent: str = "  ") -> None:
    """Columns as wide as they need to be; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        print(indent + (paint(line, "dim") if number == 0 else line), flush=True)
