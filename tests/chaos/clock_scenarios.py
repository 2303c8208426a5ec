"""Calendar clocks that jump: forward and back, by hours and by more than certificates live."""

from measured_stack import note
from scenario import RATE, Scenario, Trial

HOURS = 2 * 3600
DAYS = 30 * 86400


def _shifted(kinds: tuple[str, ...], seconds: float, *, goes_on: bool):
    """`goes_on`: whether messages must be acknowledged while the clock is wrong."""
    def act(trial: Trial) -> None:
        for shift in (seconds, -seconds):
            note(f"-- clock of {', '.join(kinds)} wrong by {shift:+.0f} s")
            for kind in kinds:
                trial.shim(kind).clock_shift(shift)
            if goes_on:
                trial.more(2 * RATE)
            else:
                trial.some_time(3, 4)
            for kind in kinds:
                trial.shim(kind).clock_shift(0)
            trial.more(RATE // 2)
    return act


def redis_clock_back_with_entries_in_hand(trial: Trial) -> None:
    """Entries that a worker took while the clock was ahead look as if taken in the future: they must be claimed all the same."""
    trial.shim("redis").clock_shift(HOURS)
    trial.gate("worker-server").stall()
    trial.some_time(1, 2)
    trial.kill("worker")
    trial.gate("worker-server").clear()
    trial.shim("redis").clock_shift(0)
    trial.chaos.restart_all()


SCENARIOS = [
    Scenario("clock-edge", "edge: clock wrong by 2 h, ahead and behind", _shifted(("edge",), HOURS, goes_on=False), shims=("edge",)),
    Scenario("clock-redis", "Redis: clock wrong by 2 h, ahead and behind", _shifted(("redis",), HOURS, goes_on=True)),
    Scenario("clock-redis-back", "Redis: clock put back by 2 h while a worker that dies holds entries",
             redis_clock_back_with_entries_in_hand, gates=("worker-server",)),
    Scenario("clock-worker", "worker: clock wrong by 2 h, ahead and behind", _shifted(("worker",), HOURS, goes_on=True),
             shims=("worker",)),
    Scenario("clock-server", "server: clock wrong by 2 h, ahead and behind", _shifted(("server",), HOURS, goes_on=True),
             shims=("server",)),
    Scenario("clock-mariadb", "MariaDB: clock wrong by 2 h, ahead and behind", _shifted(("mariadb",), HOURS, goes_on=True),
             shims=("mariadb",)),
    Scenario("clock-everything", "every program: clock wrong by 30 days, so that certificates are not valid",
             _shifted(("edge", "redis", "worker", "server", "mariadb"), DAYS, goes_on=False),
             shims=("edge", "worker", "server", "mariadb")),
]
