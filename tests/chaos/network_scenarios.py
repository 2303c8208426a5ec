"""Hops between programs that are cut, lose packets, or are slow. A gate stands in each."""

from collections.abc import Callable

from gate import Gate
from measured_stack import note
from scenario import Scenario, Trial


def _on(hop: str, *steps: Callable[[Trial, Gate], None]):
    def act(trial: Trial) -> None:
        for step in steps:
            note(f"-- {hop}: {step.__name__.replace('_', ' ')}")
            step(trial, trial.gate(hop))
            trial.gate(hop).clear()
            trial.some_time(0.5, 1.0)
    return act


def _cut(trial: Trial, gate: Gate) -> None:
    gate.cut()
    trial.some_time(2, 4)


def _stalled(trial: Trial, gate: Gate) -> None:
    gate.stall()
    trial.some_time(3, 5)


def _one_way(trial: Trial, gate: Gate) -> None:
    """What was asked arrives; the answers do not."""
    gate.stall("down")
    trial.some_time(3, 5)


def _reset(trial: Trial, gate: Gate) -> None:
    for _ in range(4):
        gate.reset()
        trial.some_time(0.2, 0.8)


def _slow(trial: Trial, gate: Gate) -> None:
    gate.disturb(latency_ms=40, jitter_ms=30)
    trial.some_time(3, 4)


def _narrow(trial: Trial, gate: Gate) -> None:
    gate.disturb(bytes_per_s=100_000)
    trial.some_time(2, 3)


def _sliced(trial: Trial, gate: Gate) -> None:
    gate.disturb(slice_bytes=7)
    trial.some_time(2, 3)


def edge_redis_stalled(trial: Trial) -> None:
    """The edge answers 503 after its own timeout, and takes messages again within seconds."""
    trial.gate("edge-redis").stall()
    trial.refused_for(trial.chance.uniform(5, 6))
    trial.gate("edge-redis").clear()


def edge_server_stalled(trial: Trial) -> None:
    """Registration waits; clients do not."""
    trial.gate("edge-server").stall()
    trial.more(2000, 12)
    trial.gate("edge-server").clear()


def worker_server_cut(trial: Trial) -> None:
    """The worker keeps what it holds, counts no attempt, and goes on within a second of the server's return."""
    trial.gate("worker-server").cut()
    trial.some_time(6, 8)
    attempts = trial.stack.sql("SELECT COALESCE(MAX(attempts), 0) FROM pending")[0][0]
    trial.expect(attempts == "0", f"{attempts} attempts were counted while the server could not be reached")
    trial.gate("worker-server").clear()


SCENARIOS = [
    Scenario("clients-bad-network", "clients to edge: resets, latency, slices, one way",
             _on("client-edge", _reset, _slow, _sliced, _one_way), gates=("client-edge",)),
    Scenario("edge-redis-stalled", "edge to Redis: packets lost both ways; 503, nothing acknowledged", edge_redis_stalled,
             gates=("edge-redis",)),
    Scenario("edge-redis-cut", "edge to Redis: refused, then reset, then answers lost", _on("edge-redis", _cut, _reset, _one_way),
             gates=("edge-redis",)),
    Scenario("edge-redis-slow", "edge to Redis: latency and jitter, narrow, sliced", _on("edge-redis", _slow, _narrow, _sliced),
             gates=("edge-redis",)),
    Scenario("edge-server-stalled", "edge to server: packets lost; messages are taken all the same", edge_server_stalled,
             gates=("edge-server",)),
    Scenario("edge-server-cut", "edge to server: refused, reset, answers lost", _on("edge-server", _cut, _reset, _one_way),
             gates=("edge-server",)),
    Scenario("worker-redis-bad", "worker to Redis: refused, reset, answers lost, slow",
             _on("worker-redis", _cut, _reset, _one_way, _slow), gates=("worker-redis",)),
    Scenario("worker-server-cut", "worker to server: refused for 6 to 8 s; no attempt is counted", worker_server_cut,
             gates=("worker-server",)),
    Scenario("worker-server-bad", "worker to server: stalled, answers lost, reset, sliced",
             _on("worker-server", _stalled, _one_way, _reset, _sliced), gates=("worker-server",)),
    Scenario("server-redis-bad", "server to Redis: stalled, reset", _on("server-redis", _stalled, _reset), gates=("server-redis",)),
    Scenario("server-mariadb-bad", "server to MariaDB: refused, answers lost, reset, slow",
             _on("server-mariadb", _cut, _one_way, _reset, _slow), gates=("server-mariadb",)),
]
