"""A small C++ tokeniser: enough to see statements, brackets and names."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<skip>\s+|//[^\n]*|/\*.*?\*/|\#(?:[^\n\\]|\\.)*)
  | (?P<raw>(?:u8|[uUL])?R"(?P<tag>[^()\s\\]{0,16})\(.*?\)(?P=tag)")
  | (?P<text>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+')
  | (?P<number>\.?\d(?:'?[\w.])*)
  | (?P<word>[A-Za-z_]\w*)
  | (?P<mark>::|->|<<=|==|!=|<=|>=|&&|\|\||\+=|-=|.)
    """,
    re.VERBOSE | re.DOTALL,
)

OPENING = {"(": ")", "[": "]", "{": "}"}
CLOSING = {end: start for start, end in OPENING.items()}


@dataclass(frozen=True)
class Token:
    """One token; the text of string and character literals is kept."""

    kind: str  # raw, text, number, word or mark
    text: str
    line: int


class Code:
    """A file's tokens, with the partner of every bracket."""

    def __init__(self, source: str) -> None:
        self.tokens: list[Token] = []
        line = 1
        for match in _TOKEN.finditer(source):
            if match.lastgroup != "skip":
                kind = "raw" if match.group("raw") else match.lastgroup
                self.tokens.append(Token(kind, match.group(), line))
            line += match.group().count("\n")
        self.partner: dict[int, int] = {}
        self.parent: list[int] = []  # The bracket that a token stands in, or -1.
        self._match_brackets()

    def _match_brackets(self) -> None:
        stack: list[int] = []
        for i, token in enumerate(self.tokens):
            if token.kind == "mark" and token.text in CLOSING and stack:
                start = stack.pop()
                self.partner[start], self.partner[i] = i, start
            self.parent.append(stack[-1] if stack else -1)
            if token.kind == "mark" and token.text in OPENING:
                stack.append(i)

    def __getitem__(self, i: int) -> str:
        """The text of a token, and nothing beyond the ends."""
        return self.tokens[i].text if 0 <= i < len(self.tokens) else ""

    def is_word(self, i: int) -> bool:
        return 0 <= i < len(self.tokens) and self.tokens[i].kind == "word"

    def line(self, i: int) -> int:
        return self.tokens[i].line

    def snippet(self, start: int, end: int) -> str:
        """The tokens of [start, end] in one line of at most 90 characters."""
        text = " ".join(token.text for token in self.tokens[start : end + 1])
        return text if len(text) <= 90 else text[:87] + "..."
