#!/usr/bin/env python3
"""C++ files look as clang-format 14 with the repository's .clang-format writes them."""

import re
import shutil
import subprocess
import sys

import sources

_VERSION = "14"
_RULE = "Run: clang-format -i FILE"


def program() -> str | None:
    """clang-format of the one version whose output counts."""
    for name in (f"clang-format-{_VERSION}", "clang-format"):
        path = shutil.which(name)
        if path and re.search(rf"version {_VERSION}\.", subprocess.run(
                [path, "--version"], capture_output=True, text=True, check=True).stdout):
            return path
    return None


def main() -> int:
    clang_format = program()
    if clang_format is None:
        print(f"clang-format {_VERSION} is not installed: run deployment/install_dependencies --tests")
        return 1
    done = subprocess.run([clang_format, "--dry-run", "--Werror", *map(str, sources.cpp())],
                          cwd=sources.ROOT, capture_output=True, text=True, check=False)
    places = re.findall(r"^(\S+?:\d+):\d+: error: code should be clang-formatted", done.stderr, re.MULTILINE)
    faults = sorted({place.replace(f"{sources.ROOT}/", "") for place in places})
    if done.returncode != 0 and not faults:
        faults = [done.stderr.strip()]
    return sources.report(faults, _RULE)


if __name__ == "__main__":
    sys.exit(main())
