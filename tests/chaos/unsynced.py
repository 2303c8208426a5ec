"""Makes a killed Redis lose what it had not fsynced, as a power cut would. See fsync_watch.c."""

import os
from pathlib import Path


class Unsynced:
    """`data`: Redis's folder; `watch`: where the preload writes how much of each file is on disk, by inode."""

    def __init__(self, library: Path, data: Path, watch: Path):
        self.library = Path(library)
        self._data = Path(data)
        self._watch = Path(watch)
        self._watch.mkdir(mode=0o700, parents=True)
        self.env = {"LD_PRELOAD": str(library), "FSYNC_WATCH_FOLDER": str(self._watch)}
        if self._data.exists():
            self._remember_as_synced()

    def cut(self) -> int:
        """Cuts every file back to its length at its last fsync; gives how many bytes went. Only while Redis does not run."""
        lost = 0
        for path in self._data.rglob("*"):
            if not path.is_file():
                continue
            status = path.stat()
            record = self._watch / str(status.st_ino)
            synced = int(record.read_text(encoding="ascii")) if record.exists() else 0
            if synced < status.st_size:
                os.truncate(path, synced)
                lost += status.st_size - synced
        self._remember_as_synced()
        return lost

    def _remember_as_synced(self) -> None:
        # Inodes are used again: what is there now is on disk, everything else is forgotten.
        for record in self._watch.iterdir():
            record.unlink()
        for path in self._data.rglob("*"):
            if path.is_file():
                status = path.stat()
                (self._watch / str(status.st_ino)).write_text(f"{status.st_size:020}", encoding="ascii")
