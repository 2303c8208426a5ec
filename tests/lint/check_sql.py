#!/usr/bin/env python3
"""SQL is constant text with placeholders: values never become part of a statement.

Statements are `constexpr` constants. What goes to Execute, Query or ExecuteScriptStatement is named, never put together in the call.
"""

import re
import sys

import sources
from cpp_tokens import CLOSING, Code

_RULE = "Make the statement a constexpr constant with `?` for each value (db::Placeholders for many rows)."

_CALLS = {"Execute", "Query", "ExecuteScriptStatement"}
_STATEMENT = re.compile(r'"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|ALTER|CREATE|DROP|TRUNCATE|CALL)\s')
_BUILDERS = {"StrCat", "StrFormat", "Substitute", "StrJoin", "StrAppend", "format", "to_string"}


def check_text(source: str) -> list[tuple[int, str]]:
    """Line and reason of each fault."""
    code = Code(source)
    faults = []
    for i, token in enumerate(code.tokens):
        if token.kind == "text" and _STATEMENT.match(token.text) and not _is_constant(code, i):
            faults.append((token.line, f"a statement that is not a constexpr constant: {token.text[:50]}"))
        if token.text in _CALLS and code[i - 1] in {".", "->"} and code[i + 1] == "(":
            faults += _check_argument(code, i + 1)
    return faults


def _is_constant(code: Code, i: int) -> bool:
    """Whether the literal at `i` stands in a statement that begins with constexpr."""
    while i > 0 and code[i - 1] not in {";", "{", "}"}:
        i = code.partner[i - 1] if code[i - 1] in CLOSING and i - 1 in code.partner else i - 1
        if code[i] == "constexpr":
            return True
    return code[i] == "constexpr"


def _check_argument(code: Code, opening: int) -> list[tuple[int, str]]:
    """The first argument of the call whose parenthesis is at `opening`."""
    end = code.partner.get(opening, opening)
    for k in range(opening + 1, end):
        if code[k] == "," and code.parent[k] == opening:
            break
        if code[k] in _BUILDERS or code[k] == "+":
            return [(code.line(k), f"a statement put together in the call: {code.snippet(opening - 1, end)}")]
    return []


def main() -> int:
    faults = []
    for path in sources.cpp():
        shown = sources.shown(path)
        if not shown.startswith("tests/"):
            faults += [f"{shown}:{line}: {reason}"
                       for line, reason in check_text(path.read_text(encoding="utf-8"))]
    return sources.report(faults, _RULE)


if __name__ == "__main__":
    sys.exit(main())
