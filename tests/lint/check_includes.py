#!/usr/bin/env python3
"""Every folder includes only what stands below it.

proto <- services/common <- {domains, edge_proxy, worker, portal, ctl} <- server <- tests. A domain never includes another one. Within
services/common each library names what it may use. `ssl::stream` costs 20 s of compile time a file, so few files may include it.
"""

import re
import sys
from pathlib import Path

import sources

_RULE = "The table in tests/lint/check_includes.py says what each folder may include; docs/adr/0002 says why."

_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)

_COMMON = "services/common/"
# Each library of services/common to the libraries below it.
_LIBRARIES = {
    "base": set(),
    "exec": set(),
    "config": {"base"},
    "log": {"base"},
    "metrics": {"base"},
    "crypto": {"base"},
    "tls": {"base", "crypto"},
    "pki": {"base", "crypto"},
    "redis": {"base", "log", "metrics", "tls"},
    "db": {"base", "crypto", "exec", "log", "metrics"},
    "http": {"base", "exec", "log", "metrics", "tls"},
    "rpc": {"base", "exec", "log", "metrics", "tls"},
    "audit": {"base", "crypto", "db"},
    "trust": {"base", "config", "crypto", "exec", "http", "log", "metrics", "pki", "rpc", "tls"},
    "app": {"base", "config", "http", "log", "metrics", "tls"},
}
_AUTHORITY = "services/certificates/authority"
_DOMAINS = {"services/audit", "services/certificates", "services/keys", "services/clients", "services/identity", "services/messages",
            "services/statistics"}
_ALL_COMMON = {_COMMON + library for library in _LIBRARIES}
_PROTO = "postern/v1"

# Folder to the folders that it may include besides itself.
ALLOWED: dict[str, set[str]] = {
    **{_COMMON + library: {_COMMON + below for below in used} for library, used in _LIBRARIES.items()},
    _COMMON + "trust": {_PROTO, *(_COMMON + below for below in _LIBRARIES["trust"])},
    **{domain: {_PROTO, *_ALL_COMMON} for domain in _DOMAINS},
    # The CA itself, without database and gRPC: shared by the domain and the command line.
    _AUTHORITY: set(_ALL_COMMON),
    "services/certificates": {_PROTO, _AUTHORITY, *_ALL_COMMON},
    "certs": {_AUTHORITY, *_ALL_COMMON},
    "services/ctl": {_PROTO, *_ALL_COMMON},
    "services/server": {_PROTO, _AUTHORITY, *_ALL_COMMON, *_DOMAINS},
    "edge_proxy": {_PROTO, *_ALL_COMMON},
    "worker": {_PROTO, *_ALL_COMMON},
    "portal": {_PROTO, *_ALL_COMMON},
}

_HEAVY = re.compile(r"boost/asio/ssl/stream\.hpp|boost/asio/ssl\.hpp|boost/beast/ssl")
_MAY_BE_HEAVY = ("services/common/http/", "services/common/redis/connection.cc", "tests/load/", "tests/support/")


def folder_of(path: str) -> str:
    """The folder of the table that a file or an include belongs to; empty when it is none of ours."""
    known = sorted([*ALLOWED, _PROTO, "tests"], key=len, reverse=True)
    return next((folder for folder in known if path.startswith(folder + "/")), "")


def check_text(path: str, text: str) -> list[str]:
    """The faults of one file; `path` is relative to the root."""
    faults = []
    folder = folder_of(path)
    if not folder:
        return [f"{path}:1: the folder is not in the table"]
    for match in _INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start(1)) + 1
        quote, included = match.groups()
        target = folder_of(included)
        if quote == '"' and "/" not in included:
            faults.append(f"{path}:{line}: {included}: includes begin at the root of the repository")
        elif quote == "<" and target not in ("", _PROTO):
            faults.append(f"{path}:{line}: {included}: our own headers stand in quotes")
        elif folder != "tests" and target not in ("", folder, *ALLOWED[folder]):
            faults.append(f"{path}:{line}: {folder} may not include {target}: {included}")
        elif _HEAVY.match(included) and not path.startswith(_MAY_BE_HEAVY):
            faults.append(f"{path}:{line}: {included}: only {', '.join(_MAY_BE_HEAVY)} may instantiate ssl::stream")
    return faults


def main() -> int:
    faults = []
    for path in sources.cpp():
        faults += check_text(sources.shown(path), Path(path).read_text(encoding="utf-8"))
    return sources.report(faults, _RULE)


if __name__ == "__main__":
    sys.exit(main())
