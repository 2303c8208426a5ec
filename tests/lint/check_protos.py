#!/usr/bin/env python3
"""The protos pass `buf lint` with proto/buf.yaml."""

import subprocess
import sys
from pathlib import Path

import sources

# The package of this machine's platform holds the program itself.
_BUF = next((Path(__file__).parent / "node_modules" / "@bufbuild").glob("buf-*/bin/buf"), None)


def main() -> int:
    if _BUF is None:
        print("buf is not installed: run deployment/install_dependencies --tests, or `npm ci` in tests/lint")
        return 1
    return subprocess.run([_BUF, "lint", "proto"], cwd=sources.ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
