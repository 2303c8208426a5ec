#!/usr/bin/env python3
"""Makes the folder of style sheets and scripts that the portal serves: bundle.py OUT.

Copies the portal's own files and those of the packages in node_modules, with their licences. Bootstrap's and our own rules for the dark
theme are written a second time for `data-bs-theme="auto"` under `prefers-color-scheme: dark`, so that the theme follows the system
without a script. Each text is there compressed too.
"""

import gzip
import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"

# Name in OUT to the file it is made of.
FILES = {
    "bootstrap.css": MODULES / "bootstrap/dist/css/bootstrap.min.css",
    "uplot.css": MODULES / "uplot/dist/uPlot.min.css",
    "uplot.js": MODULES / "uplot/dist/uPlot.iife.min.js",
    "htmx.js": MODULES / "htmx.org/dist/htmx.min.js",
    "portal.css": HERE / "portal.css",
    "portal.js": HERE / "portal.js",
    "favicon.svg": HERE / "favicon.svg",
}
LICENCES = {"bootstrap": "LICENSE", "uplot": "LICENSE", "htmx.org": "LICENSE"}

_DARK = "[data-bs-theme=dark]"
_AUTO = "[data-bs-theme=auto]"
_SOURCE_MAP = re.compile(r"(/\*# sourceMappingURL=.*?\*/|//# sourceMappingURL=.*)\s*$")


def rules(css: str):
    """Each rule of a style sheet: what stands before its block, and the block with its braces."""
    depth, begin, block = 0, 0, 0
    for at, letter in enumerate(css):
        if letter == "{":
            if depth == 0:
                block = at
            depth += 1
        elif letter == "}":
            depth -= 1
            if depth == 0:
                yield css[begin:block].strip(), css[block:at + 1]
                begin = at + 1


def dark_rules(css: str) -> str:
    """The rules for the dark theme, for the automatic one."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    found = []
    for selector, block in rules(css):
        if selector.startswith("@"):
            inner = dark_rules(block[1:-1]) if _DARK in block else ""
            if inner:
                found.append(f"{selector}{{{inner}}}")
        elif _DARK in selector:
            parts = [part.strip() for part in selector.split(",") if _DARK in part]
            found.append(",".join(parts).replace(_DARK, _AUTO) + block)
    return "".join(found)


def with_automatic_theme(css: str) -> str:
    """The style sheet, and its dark rules again for who leaves the choice to the system."""
    automatic = dark_rules(css)
    return css + (f"\n@media (prefers-color-scheme:dark){{{automatic}}}\n" if automatic else "")


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    out = Path(sys.argv[1])
    missing = [str(path) for path in FILES.values() if not path.exists()]
    if missing:
        print(f"bundle: {missing[0]} is not there. Run deployment/install_dependencies.", file=sys.stderr)
        return 1
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for name, source in FILES.items():
        text = _SOURCE_MAP.sub("", source.read_text(encoding="utf-8"))
        if name.endswith(".css"):
            text = with_automatic_theme(text)
        data = text.encode()
        (out / name).write_bytes(data)
        (out / f"{name}.gz").write_bytes(gzip.compress(data, 9, mtime=0))
    texts = [f"{name}\n\n{(MODULES / name / file).read_text(encoding='utf-8')}" for name, file in LICENCES.items()]
    (out / "licences.txt").write_text("\n\n".join(texts), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
