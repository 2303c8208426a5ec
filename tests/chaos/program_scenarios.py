"""Programs that are killed, paused, or restarted."""

import os
import resource
import shutil
import socket

from scenario import RATE, Scenario, Trial

KINDS = ("edge", "redis", "worker", "server", "mariadb")


def _killed(kind: str, times: int = 2):
    def act(trial: Trial) -> None:
        for _ in range(times):
            trial.some_time(0.2, 1.5)
            trial.kill(kind)
            trial.some_time(0, 1.5)
            trial.chaos.restart_all()
            trial.more(RATE // 2)
    return act


def _paused(kind: str, low: float, high: float):
    def act(trial: Trial) -> None:
        trial.pause(kind, trial.chance.uniform(low, high))
        trial.more()
    return act


def all_killed(trial: Trial) -> None:
    """A power cut: everything at once, what was not fsynced is gone."""
    for kind in trial.chance.sample(KINDS, len(KINDS)):
        trial.kill(kind)
    trial.chaos.restart_all()


def redis_killed_while_rewriting(trial: Trial) -> None:
    for _ in range(2):
        trial.stack.redis.command("bgrewriteaof")
        trial.some_time(0, 0.3)
        trial.kill("redis")
        trial.chaos.restart_all()
        trial.more(RATE // 2)


def redis_restarted(trial: Trial) -> None:
    """With the production ACL. What a worker holds and what waits is the same after it."""
    trial.chaos.processes("worker")[0].pause()
    trial.some_time(0.5, 1.0)
    before = _queue(trial)
    trial.expect(before["entries"] > 0, "nothing waits")
    trial.stack.redis.stop()
    trial.stack.redis.start()
    after = _queue(trial)
    trial.expect(after["pending"] == before["pending"] and after["entries"] >= before["entries"],
                 f"the queue was {before} before the restart of Redis and is {after}")
    trial.chaos.processes("worker")[0].resume()


def _queue(trial: Trial) -> dict[str, int]:
    """Entries, and those that a worker holds."""
    return {"entries": trial.queue("redis.call('xlen', key)"), "pending": trial.queue("redis.call('xpending', key, 'workers')[1]")}


def worker_killed_before_acknowledging(trial: Trial) -> None:
    """Deliveries are committed, their entries still in the queue: the acknowledgements do not get through."""
    trial.gate("worker-redis").stall("up")
    trial.some_time(0.3, 0.6)
    trial.kill("worker")
    trial.gate("worker-redis").clear()
    trial.chaos.restart_all()


def worker_paused(trial: Trial) -> None:
    """Longer than the retry interval: the other claims what it holds; what it does late changes nothing."""
    process = trial.program("worker-1").process
    for _ in range(2):
        process.pause()
        trial.some_time(2.0, 3.5)
        process.resume()
        trial.some_time(0.5, 1.0)


def _without_descriptors(kind: str, hops: tuple[str, ...]):
    """Nothing can be opened in the program any more, and others fill its listen queue; then there is room again."""
    def act(trial: Trial) -> None:
        process = trial.chaos.processes(kind)[0]
        before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        used = len(os.listdir(f"/proc/{process.pid}/fd"))
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used + 2, before[1]))
        crowd = []
        for _ in range(60):
            crowd.append(socket.socket())
            crowd[-1].setblocking(False)
            crowd[-1].connect_ex(("127.0.0.1", trial.stack.ports[kind]))
        for hop in hops:
            trial.gate(hop).reset()
        trial.some_time(3, 4)
        for one in crowd:
            one.close()
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, before)
        trial.more()
    return act


def server_wrong_key(trial: Trial) -> None:
    """A key beside the server's certificate that does not belong to it: new handshakes fail until it is the right one again."""
    key = trial.stack.authority.leaf("server", "server-1").key
    right = key.read_bytes()
    shutil.copyfile(trial.stack.authority.leaf("worker", "worker-1").key, key)
    trial.some_time(1, 2)
    for hop in ("edge-server", "worker-server"):
        trial.gate(hop).reset()
    trial.more(2 * RATE)
    key.write_bytes(right)


SCENARIOS = [
    Scenario("edge-killed", "edge: SIGKILL, twice", _killed("edge")),
    Scenario("edge-paused", "edge: SIGSTOP for 4 to 6 s", _paused("edge", 4, 6)),
    Scenario("redis-killed", "Redis: SIGKILL, twice; what was not fsynced is lost", _killed("redis")),
    Scenario("redis-killed-rewriting", "Redis: SIGKILL while it rewrites its AOF, twice", redis_killed_while_rewriting),
    Scenario("redis-restarted", "Redis: restart with the production ACL keeps entries and what is pending", redis_restarted),
    Scenario("redis-paused", "Redis: SIGSTOP for 6 to 8 s", _paused("redis", 6, 8)),
    Scenario("worker-killed", "worker: SIGKILL, twice", _killed("worker")),
    Scenario("worker-killed-unacknowledged", "worker: SIGKILL between commit and acknowledgement",
             worker_killed_before_acknowledging, gates=("worker-redis",)),
    Scenario("worker-paused", "one of two workers: SIGSTOP for longer than the retry interval, twice", worker_paused, workers=2),
    Scenario("server-killed", "server: SIGKILL, twice", _killed("server")),
    Scenario("server-paused", "server: SIGSTOP for 12 to 14 s, longer than every deadline", _paused("server", 12, 14)),
    Scenario("server-wrong-key", "server: somebody puts a key there that does not fit its certificate", server_wrong_key,
             gates=("edge-server", "worker-server")),
    Scenario("server-descriptors", "server: no file descriptors left, listen queue full, for 3 to 4 s",
             _without_descriptors("server", ("edge-server", "worker-server")), gates=("edge-server", "worker-server")),
    Scenario("edge-descriptors", "edge: no file descriptors left, listen queue full, for 3 to 4 s",
             _without_descriptors("edge", ("client-edge", "edge-redis")), gates=("client-edge", "edge-redis")),
    Scenario("mariadb-killed", "MariaDB: SIGKILL, twice", _killed("mariadb")),
    Scenario("mariadb-paused", "MariaDB: SIGSTOP for 6 to 8 s", _paused("mariadb", 6, 8)),
    Scenario("all-killed", "everything at once: SIGKILL; Redis loses what was not fsynced", all_killed),
]
