"""Looks for texts that must not be somewhere: in files and in the memory of processes, in the encodings that programs use."""

import base64
import json
import mmap
import re
import urllib.parse
from pathlib import Path

# A mapping larger than this is a sanitizer's shadow, not data.
_MAPPING_BYTES_MAX = 4 << 30


def needles(text: str) -> dict[str, bytes]:
    """The text as bytes, by the name of the encoding. Encodings that give the same bytes as another are left out."""
    plain = text.encode()
    if len(plain) < 8:
        raise ValueError("a text this short is found by chance")
    found = {
        "UTF-8": plain,
        "UTF-16LE": text.encode("utf-16-le"),
        "UTF-16BE": text.encode("utf-16-be"),
        "hexadecimal": plain.hex().encode(),
        "HEXADECIMAL": plain.hex().upper().encode(),
        "JSON escapes": json.dumps(text)[1:-1].encode(),
        "URL encoding": urllib.parse.quote(text).encode(),
    }
    # The same bytes look three ways in Base64, by where they begin; what also depends on the neighbours is cut off.
    for offset in range(3):
        cut = base64.b64encode(bytes(offset) + plain)[4 if offset else 0:]
        found[f"Base64 at {offset}"] = cut[:(len(plain) + offset) // 3 * 4 - (4 if offset else 0)]
    distinct: dict[bytes, str] = {}
    for name, needle in found.items():
        distinct.setdefault(needle, name)
    return {name: needle for needle, name in distinct.items()}


class Canary:
    """Texts by a name for people. What it finds is told as "name in encoding", never as the text."""

    def __init__(self, texts: dict[str, str]):
        self._needles = [(f"{name} in {encoding}", needle)
                         for name, text in texts.items() for encoding, needle in needles(text).items()]
        self.bytes_searched = 0

    def in_bytes(self, data) -> set[str]:
        """What `data` (anything with `find`) holds."""
        self.bytes_searched += len(data)
        return {name for name, needle in self._needles if data.find(needle) >= 0}

    def in_folder(self, folder: Path) -> dict[str, set[str]]:
        """What the files below a folder hold, by path; files that hold nothing are left out."""
        found = {}
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.stat().st_size == 0:
                continue
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                if names := self.in_bytes(data):
                    found[str(path)] = names
        return found

    def in_memory(self, pid: int) -> set[str]:
        """What a running process holds in any memory that a core dump could show. Only for an ancestor of the process, or for root."""
        found = set()
        with Path(f"/proc/{pid}/maps").open(encoding="ascii", errors="replace") as maps, \
                Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            for line in maps:
                begin, end, access = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
                size = int(end, 16) - int(begin, 16)
                if not access.startswith("r") or "[v" in line or size > _MAPPING_BYTES_MAX:
                    continue
                memory.seek(int(begin, 16))
                try:
                    found |= self.in_bytes(memory.read(size))
                except OSError:
                    continue  # Gone since it was listed, or a device.
        return found
