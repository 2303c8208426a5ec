"""A stack whose programs are killed, paused and cut off from each other, and whose Redis loses what was not fsynced."""

import time
from pathlib import Path

import measured_stack as measured
from gate import Gate
from measured_stack import Load, ProcessError, Stack, note
from shim import Shim
from unsynced import Unsynced

# Short, so that healing takes seconds.
OVERRIDES = {
    "worker": {"retry_interval_ms": 1000},
    "server": {"reconcile.interval_ms": 1000, "reconcile.grace_ms": 3000},
}
HEALING_SECONDS = 180

# The hops that a gate can stand in: who connects, and the configuration that leads there.
HOPS = {
    "client-edge": ("client", ""),
    "edge-redis": ("edge", "redis.port"),
    "edge-server": ("edge", "server.target"),
    "worker-redis": ("worker", "redis.port"),
    "worker-server": ("worker", "server.target"),
    "server-redis": ("server", "redis.port"),
    "server-mariadb": ("server", "database.port"),
}


class ChaosStack:
    """`folder`: everything is in there; if it holds a `stack` that was used before, that is used again.
    `redis_options`: for settings that lose data. `gates`: names of HOPS that get one. `shims`: kinds that run under
    fault_shim.c; Redis always does. `seed`: of the gates' jitter."""

    def __init__(self, folder: Path, build: Path, settings: dict[str, dict], *, redis_options: dict[str, str] | None = None,
                 mariadb_options: dict[str, str] | None = None, clients: int = 20, workers: int = 1,
                 gates: tuple[str, ...] = (), shims: tuple[str, ...] = (), seed: int = 0):
        self.build = build
        self.gates = {hop: Gate(lambda hop=hop: self.stack.ports[hop.partition("-")[2]], seed) for hop in gates}
        overrides = {name: dict(OVERRIDES.get(name, {})) for name in ("edge", "worker", "server")}
        for hop, gate in self.gates.items():
            kind, key = HOPS[hop]
            if kind != "client":
                overrides[kind][key] = f"localhost:{gate.port}" if key == "server.target" else gate.port
        if redis_options:
            overrides["edge"]["allow_unsafe_queue"] = True
        for name, given in settings.items():
            overrides[name] = overrides.get(name, {}) | given
        place = folder / "stack"
        self.unsynced = Unsynced(build / "bin" / "fsync_watch.so", place / "redis" / "data", folder / "watch")
        self.shims = {kind: Shim(build / "bin" / "fault_shim.so", folder, kind, place / kind / "data")
                      for kind in {"redis", *shims}}
        env = {kind: dict(shim.env) for kind, shim in self.shims.items()}
        env["redis"] |= self.unsynced.env | {"LD_PRELOAD": f"{self.unsynced.library}:{env['redis']['LD_PRELOAD']}"}
        self.stack = Stack(place, build=build, clients=clients, workers=workers, overrides=overrides,
                           redis_options=redis_options, mariadb_options=mariadb_options, env=env)
        self.ledger: Path | None = None  # Of the load that began last.
        self.bytes_cut = 0
        self._last_cut = 0

    def __enter__(self) -> "ChaosStack":
        note("starting the stack")
        self.stack.start()
        return self

    def __exit__(self, *_) -> None:
        self.stack.kill()
        for gate in self.gates.values():
            gate.close()

    def load(self, ledger: Path, **options) -> Load:
        """Load that goes on until it is interrupted."""
        self.ledger = ledger
        gate = self.gates.get("client-edge")
        return Load(self.build, measured.load_arguments(self.stack, port=gate and gate.port, ledger=ledger,
                                                        seconds=100_000, warmup_seconds=0, **options))

    def kill(self, kind: str) -> None:
        """SIGKILL of all programs of a kind; a Redis also loses what was not fsynced."""
        for process in self.processes(kind):
            process.kill()
        if kind == "redis":
            self.after_redis_died()

    def after_redis_died(self) -> None:
        """Takes away what the dead Redis had not fsynced."""
        self._last_cut = self.unsynced.cut()
        self.bytes_cut += self._last_cut

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

    def clear(self) -> None:
        """Ends every fault: gates pass, disks and clocks are in order, nothing is paused."""
        for gate in self.gates.values():
            gate.clear()
        for shim in self.shims.values():
            shim.clear()
        for process in self.stack.processes():
            process.resume()

    def heal(self) -> float:
        """Waits until everything runs and everything accepted is delivered; gives how long that took, in seconds."""
        begin = time.monotonic()
        for program in self.stack.programs.values():
            measured.wait_until(lambda program=program: self._ready(program), 60, f"{program.name} to be ready")
        measured.wait_drained(self.stack, HEALING_SECONDS)
        return time.monotonic() - begin

    def processes(self, kind: str) -> list:
        """The processes of a kind: one of a store, each instance of a program."""
        if kind in ("redis", "mariadb"):
            return [getattr(self.stack, kind).process]
        found = [program.process for program in self.stack.programs.values() if program.kind == kind]
        if not found:
            raise ProcessError(f"no program of kind {kind}")
        return found

    def _ready(self, program) -> bool:
        self.restart_all()
        return program.ready()
