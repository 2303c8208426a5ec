#!/usr/bin/env python3
"""Looks for what g++ 12 miscompiles in coroutines.

A temporary that is initialised with braces (an aggregate, a `{...}` argument or a lambda that captures by value) is destroyed twice when
it stands in the same full expression as `co_await`. Name it first, then move it. Coroutines take no default arguments, which make such
temporaries. And a capturing lambda that is a coroutine must not be called at once: its captures die before it ends.

Usage: check_coroutines.py [FILE...]   (default: every C++ file of the project)
"""

import sys
from pathlib import Path

import sources
from cpp_tokens import CLOSING, Code

_RULE = "Name the temporary in a statement of its own, then std::move it; this script's docstring says why."

_SCOPES = {"class", "struct", "union", "enum", "namespace"}
_BEFORE_BLOCK = {"else", "do", "try", "const", "noexcept", "override", "final", "mutable"}
_CONDITIONS = {"if", "while", "for", "switch"}


class Checker:
    """Finds the faults of one file."""

    def __init__(self, code: Code) -> None:
        self.code = code

    def faults(self) -> list[tuple[int, str]]:
        """Line and reason of each."""
        found: list[tuple[int, str]] = []
        for i, token in enumerate(self.code.tokens):
            if token.kind != "word":
                continue
            if token.text == "co_await":
                found += self._check_expression(i)
            elif token.text == "awaitable":
                found += self._check_declaration(i)
        found += self._called_lambdas()
        return sorted(set(found))

    # --- What a brace or a bracket is.

    def is_block(self, i: int) -> bool:
        """Whether the brace at `i` begins statements or a scope, not a value."""
        code = self.code
        before = code[i - 1]
        if i == 0 or before in {")", ";", "{", "}", ":", *_BEFORE_BLOCK}:
            return not (before == ")" and self._closes_value(i - 1))
        if before == "]":
            return self.lambda_captures(code.partner.get(i - 1, i)) is not None
        return self._ends_trailing_return(i - 1) or self._ends_scope_head(i - 1)

    def _closes_value(self, i: int) -> bool:
        """Whether the parenthesis closed at `i` is decltype(...), whose braces make a value."""
        return self.code[self.code.partner.get(i, 0) - 1] == "decltype"

    def _ends_trailing_return(self, i: int) -> bool:
        """Whether the tokens up to `i` are `) -> Type`."""
        code = self.code
        while i >= 0 and (code.is_word(i) or code[i] in {"::", "<", ">", ",", "*", "&"}):
            i -= 1
        return code[i] == "->" and code[i - 1] in {")", "mutable", "noexcept"}

    def _ends_scope_head(self, i: int) -> bool:
        """Whether the tokens up to `i` are the head of a class, enumeration or namespace."""
        code = self.code
        while i >= 0 and code[i] not in {";", "{", "}", "(", ")", "=", ","}:
            if code[i] in _SCOPES:
                return True
            i -= 1
        return False

    def lambda_captures(self, i: int) -> list[str] | None:
        """The captures when the bracket at `i` begins a lambda, else nothing."""
        code = self.code
        if code[i] != "[" or i not in code.partner:
            return None
        before = code[i - 1]
        if before in {")", "]", "auto"} or (before == "&" and code[i - 2] == "auto") or code[i + 1] == "[":
            return None
        if before == "[" or (code.is_word(i - 1) and before not in {"return", "co_return", "co_await", "co_yield"}):
            return None
        captures: list[list[str]] = [[]]
        k = i + 1
        while k < code.partner[i]:
            if code[k] == ",":
                captures.append([])
            else:
                captures[-1].append(code[k])
            k = code.partner[k] + 1 if code[k] in {"(", "{", "["} else k + 1
        return [" ".join(capture) for capture in captures if capture]

    # --- The full expression around a co_await.

    def _bounds(self, i: int) -> tuple[int, int]:
        """First and last token of the full expression that holds token `i`."""
        code = self.code
        level = i
        while True:
            start = level
            while start > 0 and not self._begins_after(start - 1):
                start = code.partner[start - 1] if code[start - 1] in CLOSING else start - 1
            opening = code.parent[level]
            if opening < 0 or self._bounds_expression(opening):
                break
            level = opening
        end = level
        while end + 1 < len(code.tokens) and code[end] != ";" and code[end + 1] not in CLOSING:
            end = code.partner[end] + 1 if code[end] in {"(", "[", "{"} and end in code.partner else end + 1
            if end >= len(code.tokens) or self.code.parent[end] != self.code.parent[level]:
                break
        return start, min(end, len(code.tokens) - 1)

    def _begins_after(self, i: int) -> bool:
        """Whether a full expression begins after token `i`."""
        code = self.code
        if code[i] == ";":
            return True
        if code[i] == "{":
            return True
        if code[i] == "}" and i in code.partner:
            return self.is_block(code.partner[i]) and code[i + 1] not in {"(", ",", ")", "."}
        return code[i] in {"(", "["}

    def _bounds_expression(self, opening: int) -> bool:
        """Whether the bracket holds full expressions of its own: a block, or the condition of a statement."""
        code = self.code
        if code[opening] == "{":
            return self.is_block(opening)
        return code[opening] == "(" and (code[opening - 1] in _CONDITIONS
                                         or (code[opening - 1] == "constexpr" and code[opening - 2] == "if"))

    def _check_expression(self, i: int) -> list[tuple[int, str]]:
        code = self.code
        start, end = self._bounds(i)
        found = []
        k = start
        while k <= end:
            captures = self.lambda_captures(k)
            if captures and any(not (c == "this" or c.startswith("&")) for c in captures):
                found.append((code.line(k), f"capturing lambda beside co_await: {code.snippet(k, end)}"))
            if code[k] == "{":
                if self.is_block(k):
                    k = code.partner.get(k, k)  # A lambda's body: its statements are looked at on their own.
                else:
                    found.append((code.line(k), f"braces beside co_await: {code.snippet(max(start, k - 2), end)}"))
            k += 1
        return found

    # --- Declarations.

    def _after_template_arguments(self, i: int) -> int:
        """The token after `<...>` that begins at `i`."""
        depth = 0
        while i < len(self.code.tokens):
            depth += {"<": 1, ">": -1}.get(self.code[i], 0)
            i += 1
            if depth == 0:
                return i
        return i

    def _check_declaration(self, i: int) -> list[tuple[int, str]]:
        """`awaitable<T> Name(parameters)`, and `(parameters) -> awaitable<T>`."""
        code = self.code
        if code[i + 1] != "<":
            return []
        k = self._after_template_arguments(i + 1)
        while code.is_word(k) or code[k] == "::":
            k += 1
        opening = k if code[k] == "(" and code.is_word(k - 1) else self._parameters_before(i)
        if opening is None or opening not in code.partner:
            return []
        return self._default_arguments(opening)

    def _parameters_before(self, i: int) -> int | None:
        code = self.code
        k = i - 1
        while code.is_word(k) or code[k] == "::":
            k -= 1
        if code[k] != "->":
            return None
        k -= 1
        while code.is_word(k):
            k -= 1
        return code.partner.get(k) if code[k] == ")" else None

    def _default_arguments(self, opening: int) -> list[tuple[int, str]]:
        code = self.code
        end = code.partner[opening]
        return [(code.line(k), f"default argument of a coroutine: {code.snippet(opening - 1, end)}")
                for k in range(opening + 1, end) if code[k] == "=" and code.parent[k] == opening]

    def _called_lambdas(self) -> list[tuple[int, str]]:
        """`[x]() -> awaitable<void> { ... }()`."""
        code = self.code
        found = []
        for i in range(len(code.tokens)):
            captures = self.lambda_captures(i)
            if not captures:
                continue
            body = code.partner[i] + 1
            while body < len(code.tokens) and code[body] not in {"{", ";"}:
                body = code.partner[body] + 1 if code[body] == "(" and body in code.partner else body + 1
            if code[body] != "{" or body not in code.partner or code[code.partner[body] + 1] != "(":
                continue
            if any(code[k] in {"co_await", "co_return"} for k in range(body, code.partner[body])):
                found.append((code.line(i), f"capturing lambda coroutine called at once: {code.snippet(i, body)}"))
        return found


def check_text(source: str) -> list[tuple[int, str]]:
    """The faults of one source text: line and reason."""
    return Checker(Code(source)).faults()


def main(arguments: list[str]) -> int:
    paths = [Path(argument) for argument in arguments] or sources.cpp()
    faults = [f"{sources.shown(path)}:{line}: {reason}"
              for path in paths for line, reason in check_text(path.read_text(encoding="utf-8"))]
    return sources.report(faults, _RULE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
