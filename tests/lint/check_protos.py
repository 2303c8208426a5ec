#!/usr/bin/env python3
"""The protos pass `buf lint` with proto/buf.yaml."""

import subprocess
import sys
from pathlib import Path

import sources

_BUF = Path(__file__).parent / "node_modules" / ".bin" / "buf"


def main() -> int:
    if not _BUF.exists():
        print("buf is not installed: run deployment/install_dependencies --tests, or `npm ci` in tests/lint")
        return 1
    return subprocess.run([_BUF, "lint", "proto"], cwd=sources.ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
