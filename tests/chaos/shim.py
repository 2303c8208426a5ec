"""Control of fault_shim.c: one file per program kind, changed while the program runs."""

import mmap
import struct
from pathlib import Path

_LAYOUT = struct.Struct("=qqq")


class Shim:
    """`folder`: where the control file goes; `disk`: the folder that may become full. `env`: for the program."""

    def __init__(self, library: Path, folder: Path, kind: str, disk: Path):
        path = folder / f"{kind}.control"
        path.write_bytes(bytes(_LAYOUT.size))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), _LAYOUT.size)
        self._values = [0, 0, 0]
        self.env = {"LD_PRELOAD": str(library), "FAULT_SHIM_CONTROL": str(path), "FAULT_SHIM_FOLDER": f"{disk}/"}

    def disk_full(self, full: bool) -> None:
        """Whether files can grow."""
        self._set(0, int(full))

    def fsync_delay(self, milliseconds: float) -> None:
        """How much longer each fsync takes."""
        self._set(1, round(milliseconds * 1000))

    def clock_shift(self, seconds: float) -> None:
        """How far the calendar clock is ahead of the machine's."""
        self._set(2, round(seconds * 1e6))

    def clear(self) -> None:
        """All as it should be."""
        for index in range(len(self._values)):
            self._set(index, 0)

    def _set(self, index: int, value: int) -> None:
        self._values[index] = value
        self._page[:] = _LAYOUT.pack(*self._values)
