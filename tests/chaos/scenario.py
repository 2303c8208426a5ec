"""What every fault scenario is: load, a fault meanwhile, recovery, and the comparison of the generator's ledger with the register."""

import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import measured_stack as measured
from chaos_stack import ChaosStack
from measured_stack import ProcessError, note

RATE = 500
CONNECTIONS = 16
CLIENTS = 8

# From the end of the load until all is delivered: two retry intervals, what the longest fault held up, and room for a busy machine.
HEALING_SECONDS = 30


@dataclass(frozen=True)
class Scenario:
    """One row of the fault model. `act` makes the fault under load; what it left broken is mended after it. `what`: for people.
    `dies`: kinds of programs that may end by themselves. The rest is what ChaosStack takes."""

    name: str
    what: str
    act: Callable[["Trial"], None]
    gates: tuple[str, ...] = ()
    shims: tuple[str, ...] = ()
    workers: int = 1
    dies: tuple[str, ...] = ()
    settings: dict = field(default_factory=dict)


class Trial:
    """A scenario that is running: what its `act` works with."""

    def __init__(self, chaos: ChaosStack, load: measured.Load, chance: random.Random):
        self.chaos = chaos
        self.stack = chaos.stack
        self.load = load
        self.chance = chance

    def gate(self, hop: str):
        """The gate in this hop."""
        return self.chaos.gates[hop]

    def shim(self, kind: str):
        """The shim of this kind of program."""
        return self.chaos.shims[kind]

    def some_time(self, low: float, high: float) -> None:
        """Lets the load go on for so many seconds; the seed decides."""
        time.sleep(self.chance.uniform(low, high))

    def more(self, messages: int = RATE, seconds: float = 30) -> None:
        """Returns once so many more messages are acknowledged."""
        before = self.load.acknowledged
        self.load.wait_acknowledged(before + messages, seconds)
        self.expect(self.load.acknowledged >= before + messages, "the load ended early")

    def refused_for(self, seconds: float) -> None:
        """Returns after so long; nothing may be acknowledged in it but in its first two and last seconds."""
        time.sleep(2.2)
        before = self.load.acknowledged
        time.sleep(max(0.0, seconds - 3.3))
        self.expect(self.load.acknowledged == before, f"{self.load.acknowledged - before} messages were acknowledged meanwhile")
        time.sleep(1.1)

    def kill(self, kind: str) -> None:
        """SIGKILL; a Redis loses what it had not fsynced."""
        self.chaos.kill(kind)
        note(f"-- killed {kind}{self.chaos.last_cut(kind)}")

    def pause(self, kind: str, seconds: float) -> None:
        """SIGSTOP, so long a time, SIGCONT."""
        note(f"-- pausing {kind} for {seconds:.1f} s")
        for process in self.chaos.processes(kind):
            process.pause()
        time.sleep(seconds)
        for process in self.chaos.processes(kind):
            process.resume()

    def queue(self, lua: str) -> int:
        """The sum over all shards of a Lua expression in which `key` is the stream."""
        script = f"local n = 0 for s = 0, 15 do local key = 'postern:{{' .. s .. '}}:messages' n = n + {lua} end return n"
        return int(self.stack.redis.command("eval", script, "0"))

    def program(self, name: str):
        """An instance, such as edge-1."""
        return self.stack.programs[name]

    def expect(self, holds: bool, what: str) -> None:
        """ProcessError saying what is not as it should be, unless it holds."""
        if not holds:
            raise ProcessError(what)

    def eventually(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Returns once the condition holds."""
        measured.wait_until(condition, seconds, what)


def run(scenario: Scenario, template: Path, folder: Path, build: Path, seed: int, settings: dict[str, dict]) -> dict:
    """Runs a scenario on a copy of the stack in `template`; its figures. ProcessError when it did not go as it should."""
    shutil.copytree(template / "stack", folder / "stack", symlinks=True)
    chance = random.Random(f"{seed} {scenario.name}")
    merged = {kind: scenario.settings.get(kind, {}) | settings.get(kind, {}) for kind in scenario.settings | settings}
    with ChaosStack(folder, build, merged, clients=CLIENTS, workers=scenario.workers, gates=scenario.gates,
                    shims=scenario.shims, seed=seed) as chaos:
        load = chaos.load(folder / "ledger", rate=RATE, connections=CONNECTIONS)
        try:
            trial = Trial(chaos, load, chance)
            trial.more()
            scenario.act(trial)
            chaos.clear()
            _expect_alive(chaos, scenario)
            chaos.restart_all()
            # It takes messages again by itself, whatever happened.
            trial.more()
            load.interrupt()
            result = load.result()
        finally:
            load.kill()
        healed_in = chaos.heal()
        figures = measured.verify(build, chaos.stack, folder / "ledger", any_time=True)
        figures |= {"ledger_closed": measured.ledger_closed(chaos.stack), "healed_in_s": round(healed_in, 1),
                    "p99_ms": result["p99_ms"]}
        return figures




def make_template(folder: Path, build: Path) -> None:
    """A stack with schema, certificates and clients, stopped: each scenario begins with a copy of it."""
    note("making a stack to copy")
    stack = measured.Stack(folder / "stack", build=build, clients=CLIENTS)
    stack.start()
    stack.stop()


def faults_of(figures: dict) -> list[str]:
    """What is wrong with a scenario's figures, for people."""
    wrong = [f"{name} {figures[name]}" for name in (*measured.FAULTS, "dead", "pending", "in_both_tables") if figures[name]]
    if not figures["ledger_closed"]:
        wrong.append("the ledger is not closed")
    if figures["healed_in_s"] > HEALING_SECONDS:
        wrong.append(f"it took {figures['healed_in_s']} s until everything was delivered")
    if not figures["acknowledged"]:
        wrong.append("nothing was acknowledged")
    return wrong


def _expect_alive(chaos: ChaosStack, scenario: Scenario) -> None:
    for process in chaos.stack.processes():
        kind = process.name.partition("-")[0]
        if not process.running() and kind not in scenario.dies:
            raise ProcessError(f"{process.name} ended by itself (exit code {process.exit_code}){process.tail()}")
