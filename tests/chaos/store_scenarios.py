"""Redis and MariaDB whose disk is full or slow, whose memory is full, whose files are torn; locks; wiped queues; what they hold."""

import os
import sys
from pathlib import Path

from measured_stack import note
from scenario import RATE, Scenario, Trial

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from canary import Canary  # noqa: E402


def redis_disk_full(trial: Trial) -> None:
    """Under `always` Redis ends rather than answer for what it could not write. No answer until there is room."""
    trial.shim("redis").disk_full(True)
    process = trial.stack.redis.process
    trial.eventually(lambda: not process.running(), 10, "Redis to end on a full disk")
    trial.chaos.after_redis_died()
    trial.refused_for(trial.chance.uniform(4, 5))
    trial.shim("redis").disk_full(False)


def redis_slow_disk(trial: Trial) -> None:
    for delay in (trial.chance.uniform(100, 200), trial.chance.uniform(400, 700)):
        note(f"-- each fsync of Redis takes {delay:.0f} ms more")
        trial.shim("redis").fsync_delay(delay)
        trial.some_time(3, 4)
    trial.kill("redis")
    trial.shim("redis").clear()
    trial.chaos.restart_all()


def redis_memory_full(trial: Trial) -> None:
    trial.stack.redis.command("config", "set", "maxmemory", "1mb")
    trial.refused_for(trial.chance.uniform(4, 5))
    trial.stack.redis.command("config", "set", "maxmemory", "0")


def redis_torn_tail(trial: Trial) -> None:
    """What a crash may leave at the end of the AOF: half of a command that nobody was answered for."""
    trial.kill("redis")
    newest = max((trial.stack.redis.data / "appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)
    key = f"postern:{{{trial.chance.randrange(16)}}}:messages"
    torn = f"*5\r\n$4\r\nXADD\r\n${len(key)}\r\n{key}\r\n$1\r\n*\r\n$1\r\ne\r\n$300\r\n".encode() + os.urandom(100)
    with newest.open("ab") as file:
        file.write(torn[:trial.chance.randrange(10, len(torn))])
    trial.chaos.restart_all()


def redis_flushed(trial: Trial) -> None:
    """All messages in it are registered: the reconciler adds them again. Nothing restarts."""
    workers = trial.chaos.processes("worker")
    for worker in workers:
        worker.pause()
    trial.more(RATE // 2)
    # What lies in the queue alone is not promised (docs/architecture.md, fault model), so the clients hold still meanwhile.
    trial.load.pause()
    edge = trial.program("edge-1")
    trial.eventually(lambda: edge.metric("postern_registration_buffer_bytes") == 0, 20, "everything to be registered")
    trial.stack.redis.command("flushall")
    trial.load.resume()
    for worker in workers:
        worker.resume()


def group_lost(trial: Trial) -> None:
    """Of some shards; workers make it again, and what was pending in it is delivered."""
    for shard in trial.chance.sample(range(16), 8):
        key = f"postern:{{{shard}}}:messages"
        if trial.stack.redis.command("exists", key) == "1":
            trial.stack.redis.command("xgroup", "destroy", key, "workers")
    trial.more()


def mariadb_disk_full(trial: Trial) -> None:
    """MariaDB ends or hangs, as it likes; a supervisor starts it again once there is room. Clients notice nothing."""
    trial.shim("mariadb").disk_full(True)
    trial.more(3 * RATE)
    trial.some_time(2, 4)
    trial.shim("mariadb").disk_full(False)


def mariadb_slow_disk(trial: Trial) -> None:
    for delay in (trial.chance.uniform(50, 100), trial.chance.uniform(300, 600)):
        note(f"-- each fsync of MariaDB takes {delay:.0f} ms more")
        trial.shim("mariadb").fsync_delay(delay)
        trial.some_time(4, 5)


def mariadb_locks(trial: Trial) -> None:
    """Somebody else holds every row of what is pending for longer than a lock wait lasts."""
    before = trial.stack.sql("SELECT @@global.innodb_lock_wait_timeout")[0][0]
    trial.stack.sql("SET GLOBAL innodb_lock_wait_timeout = 1")
    for _ in range(3):
        seconds = trial.chance.uniform(1.5, 2.5)
        trial.stack.sql(f"BEGIN; SELECT COUNT(*) FROM pending FOR UPDATE; DO SLEEP({seconds:.2f}); COMMIT")
        trial.some_time(0.2, 0.5)
    trial.stack.sql(f"SET GLOBAL innodb_lock_wait_timeout = {before}")


def no_plaintext(trial: Trial) -> None:
    """Bodies that were acknowledged are in no memory of Redis, MariaDB and worker, in no file of theirs, and in no log."""
    trial.more()
    bodies = trial.chance.sample(_acknowledged_nonces(trial.chaos.ledger), 3)
    canary = Canary({f"body {index}": body for index, body in enumerate(bodies)})
    for kind in ("redis", "mariadb", "worker"):
        for process in trial.chaos.processes(kind):
            found = canary.in_memory(process.pid)
            trial.expect(not found, f"memory of {process.name} holds {', '.join(sorted(found))}")
    found = canary.in_folder(trial.stack.folder)
    trial.expect(not found, f"{', '.join(found)}: plaintext")
    note(f"-- {canary.bytes_searched // 1_000_000} MB searched")


def _acknowledged_nonces(ledger: Path) -> list[str]:
    """The first words of bodies that were acknowledged. The format is that of tests/load/ledger_format.h."""
    data, at, found = ledger.read_bytes(), 16, []
    while at < len(data):
        kind = data[at:at + 1]
        if kind == b"C":
            at += 4 + data[at + 3] if at + 3 < len(data) else len(data)
        elif kind == b"A":
            at += 1 + 2 + 16 + 32 + 8
        else:
            outcome, nonce = data[at + 1:at + 2], data[at + 4:at + 20]
            at += 1 + 1 + 2 + 16 + 16 + 8
            if outcome == b"\1" and len(nonce) == 16:
                found.append(nonce.hex())
    return found


SCENARIOS = [
    Scenario("redis-disk-full", "Redis: disk full; it ends, nothing is acknowledged until there is room", redis_disk_full,
             dies=("redis",)),
    Scenario("redis-slow-disk", "Redis: each fsync takes up to 700 ms more; then SIGKILL", redis_slow_disk),
    Scenario("redis-memory-full", "Redis: maxmemory reached under noeviction; nothing acknowledged meanwhile", redis_memory_full),
    Scenario("redis-torn-tail", "Redis: killed in the middle of a write; half a command at the AOF's end", redis_torn_tail),
    Scenario("redis-flushed", "Redis: FLUSHALL when all is registered; nothing restarts", redis_flushed),
    Scenario("redis-group-lost", "Redis: XGROUP DESTROY on half of the shards", group_lost),
    Scenario("mariadb-disk-full", "MariaDB: disk full for some seconds", mariadb_disk_full, shims=("mariadb",), dies=("mariadb",)),
    Scenario("mariadb-slow-disk", "MariaDB: each fsync takes up to 600 ms more", mariadb_slow_disk, shims=("mariadb",)),
    Scenario("mariadb-locks", "MariaDB: rows locked by somebody else for longer than a lock wait lasts", mariadb_locks),
    Scenario("canary", "no body in memory or files of Redis, MariaDB and worker, nor in any log", no_plaintext),
]
