"""A stack whose programs are killed and started again, and whose Redis loses what was not fsynced."""

import time
from pathlib import Path

import measured_stack as measured
from measured_stack import Load, Stack, note
from unsynced import Unsynced

# Short, so that healing takes seconds.
OVERRIDES = {
    "worker": {"retry_interval_ms": 1000},
    "server": {"reconcile.interval_ms": 1000, "reconcile.grace_ms": 3000},
}
HEALING_SECONDS = 180


class ChaosStack:
    """`folder`: everything is in there. `redis_options`, `fsync_delay_ms`: for settings that lose data."""

    def __init__(self, folder: Path, build: Path, settings: dict[str, dict], redis_options: dict[str, str] | None = None,
                 fsync_delay_ms: int = 0):
        self.build = build
        overrides = {name: dict(OVERRIDES.get(name, {})) | settings.get(name, {}) for name in OVERRIDES | settings}
        if redis_options:
            overrides["edge"] = overrides.get("edge", {}) | {"allow_unsafe_queue": True}
        self.unsynced = Unsynced(build / "bin" / "fsync_watch.so", folder / "stack" / "redis" / "data", folder / "watch",
                                 fsync_delay_ms)
        self.stack = Stack(folder / "stack", build=build, clients=20, overrides=overrides, redis_options=redis_options,
                           redis_env=self.unsynced.env, mariadb_options=measured.MARIADB_OPTIONS)
        self.bytes_cut = 0
        self._last_cut = 0

    def __enter__(self) -> "ChaosStack":
        note("starting the stack")
        self.stack.start()
        return self

    def __exit__(self, *_) -> None:
        self.stack.kill()

    def load(self, ledger: Path, **options) -> Load:
        """Load that goes on until it is interrupted."""
        return Load(self.build, measured.load_arguments(self.stack, ledger=ledger, seconds=100_000, warmup_seconds=0,
                                                        **options))

    def kill(self, kind: str) -> None:
        """SIGKILL of all programs of a kind; a Redis also loses what was not fsynced."""
        if kind == "mariadb":
            self.stack.mariadb.kill()
        elif kind == "redis":
            self.stack.redis.kill()
            self._last_cut = self.unsynced.cut()
            self.bytes_cut += self._last_cut
        else:
            for program in self._programs(kind):
                program.kill()

    def last_cut(self, kind: str) -> str:
        """What the last kill of Redis cut off, for people."""
        return f", {self._last_cut} unsynced bytes cut" if kind == "redis" else ""

    def restart_all(self) -> None:
        """Starts whatever does not run, as a supervisor would: programs that gave up because another was down, too."""
        for store in (self.stack.redis, self.stack.mariadb):
            if not store.process.running():
                store.start()
        for program in self.stack.programs.values():
            if not program.process.running():
                program.start(wait=False)

    def heal(self) -> float:
        """Waits until everything runs and everything accepted is delivered; gives how long that took, in seconds."""
        begin = time.monotonic()
        for program in self.stack.programs.values():
            measured.wait_until(lambda program=program: self._ready(program), 60, f"{program.name} to be ready")
        measured.wait_drained(self.stack, HEALING_SECONDS)
        return time.monotonic() - begin

    def _ready(self, program) -> bool:
        self.restart_all()
        return program.ready()

    def _programs(self, kind: str) -> list:
        return [program for program in self.stack.programs.values() if program.kind == kind]
