#!/usr/bin/env python3
"""A range-based for loop does not run over what a temporary holds.

C++20 keeps only the range itself alive: in `for (auto& x : Find()->items)` the pointer, StatusOr or optional that Find gives by value
is gone before the first round (P2718 mends it in C++23 only), and what it held with it. Compilers do not warn.
"""

import sys

import sources
from cpp_tokens import Code

_RULE = "Name the temporary before the loop: `const auto found = Find(); for (auto& x : found->items)`."


def check_text(source: str) -> list[tuple[int, str]]:
    """Line and reason of each fault."""
    code = Code(source)
    faults = []
    for i in range(len(code.tokens)):
        if code[i] == "for" and code[i + 1] == "(":
            end = code.partner.get(i + 1, i + 1)
            first = next((k + 1 for k in range(i + 2, end) if code[k] == ":" and code.parent[k] == i + 1), end)
            if _reaches_into_temporary(code, first, end):
                faults.append((code.line(i), f"a loop over what a temporary holds: {code.snippet(first, end - 1)}"))
    return faults


def _reaches_into_temporary(code: Code, first: int, end: int) -> bool:
    """Whether the range [first, end) goes through `f(…)->` or `*f(…)`."""
    called = [k for k in range(first + 1, end) if code[k] == "(" and code.is_word(k - 1)]
    if any(code[code.partner[k] + 1] == "->" for k in called if k in code.partner):
        return True
    # The pointer that Protobuf gives is into a message that stays.
    return code[first] == "*" and any(code.partner.get(k) == end - 1 and not code[k - 1].startswith("mutable_") for k in called)


def main() -> int:
    faults = []
    for path in sources.cpp():
        faults += [f"{sources.shown(path)}:{line}: {reason}" for line, reason in check_text(path.read_text(encoding="utf-8"))]
    return sources.report(faults, _RULE)


if __name__ == "__main__":
    sys.exit(main())
