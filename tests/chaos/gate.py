"""A TCP gate: sits between two programs, below TLS, and makes the network between them bad while both go on.

    gate = Gate(lambda: redis.port)
    gate.disturb(latency_ms=50, jitter_ms=20)
    gate.stall("up")
    gate.clear()

Needs no privilege. `up` is from the one that connects to the one that listens.
"""

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

DIRECTIONS = ("up", "down")

# What a direction of a connection may hold back before it stops reading.
_HELD_BYTES_MAX = 1 << 20
_READ_BYTES = 64 * 1024


@dataclass
class _Rules:
    """What happens to bytes now. Nothing, as it is made."""

    latency_s: float = 0
    jitter_s: float = 0  # Up to so much more, by chance.
    bytes_per_s: float = 0  # 0: as fast as it goes.
    slice_bytes: int = 0  # At most so many in one write; 0: as they come.
    stalled: frozenset[str] = field(default_factory=frozenset)


class Gate:
    """Listens on `port` of 127.0.0.1 and passes every connection on to the port that `target` gives at that moment.
    `port`: 0 takes a free one. Runs in a thread of its own; every method may be called from any thread, and has taken effect when it
    returns."""

    def __init__(self, target: Callable[[], int], seed: int = 0, port: int = 0):
        self._target = target
        self._chance = random.Random(seed)
        self._rules = _Rules()
        self._pairs: set[_Pair] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate", daemon=True)
        self._thread.start()
        self.port = port
        self.connections = 0  # Taken so far.
        self.bytes = {direction: 0 for direction in DIRECTIONS}  # Passed on so far.
        self._call(self._listen())

    def __enter__(self) -> "Gate":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def disturb(self, latency_ms: float = 0, jitter_ms: float = 0, bytes_per_s: float = 0, slice_bytes: int = 0) -> None:
        """From now on each piece of data comes later by the latency and up to the jitter, in order; each direction of each
        connection carries so many bytes a second, in pieces of so many. What is not given is normal again."""
        self._set(latency_s=latency_ms / 1000, jitter_s=jitter_ms / 1000, bytes_per_s=bytes_per_s, slice_bytes=slice_bytes)

    def stall(self, *directions: str) -> None:
        """Nothing passes in these directions (none given: both), and nobody is told: a lost route. One is a network that is cut
        one way."""
        self._set(stalled=frozenset(directions or DIRECTIONS))

    def clear(self) -> None:
        """Everything is normal again; what was held back goes on its way."""
        self._call(self._listen())
        self._set(latency_s=0, jitter_s=0, bytes_per_s=0, slice_bytes=0, stalled=frozenset())

    def reset(self) -> int:
        """Breaks every open connection with RST on both sides; gives how many. New ones are taken."""
        return self._call(self._reset())

    def cut(self) -> None:
        """Breaks every open connection; new ones are refused until `clear`."""
        self._call(self._cut())

    def close(self) -> None:
        """Ends it for good."""
        self._call(self._cut())
        self._call(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # --- In the gate's thread.

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _set(self, **changes) -> None:
        async def apply() -> None:
            for name, value in changes.items():
                setattr(self._rules, name, value)
            for pair in list(self._pairs):
                pair.wake()
        self._call(apply())

    async def _listen(self) -> None:
        if self._server is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self._server = await asyncio.start_server(self._serve, sock=listener, limit=_READ_BYTES)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._reset()

    async def _end_tasks(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _reset(self) -> int:
        pairs = list(self._pairs)
        for pair in pairs:
            pair.reset()
        return len(pairs)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target(), limit=_READ_BYTES)
        except OSError:
            _abort(writer)
            return
        pair = _Pair(self._rules, self._chance, self.bytes, (reader, writer), (far_reader, far_writer))
        self._pairs.add(pair)
        with contextlib.suppress(asyncio.CancelledError):  # The gate closes.
            await pair.run()
        self._pairs.discard(pair)


class _Pair:
    """One connection through the gate."""

    def __init__(self, rules: _Rules, chance: random.Random, passed: dict[str, int], near, far):
        self._rules, self._chance, self._passed = rules, chance, passed
        self._writers = (near[1], far[1])
        self._ways = {"up": (near[0], far[1]), "down": (far[0], near[1])}
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Carries both ways until both have ended or one has failed."""
        tasks = [asyncio.create_task(self._carry(name, *way)) for name, way in self._ways.items()]
        try:
            await asyncio.gather(*tasks)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for task in tasks:
                task.cancel()
            self.reset()

    def wake(self) -> None:
        """Looks at the rules again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def reset(self) -> None:
        """RST to both sides."""
        for writer in self._writers:
            _abort(writer)

    async def _carry(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held: asyncio.Queue = asyncio.Queue(_HELD_BYTES_MAX // _READ_BYTES)
        taker = asyncio.create_task(self._take(reader, held))
        try:
            while True:
                due, data = await held.get()
                await self._pass_moment(name, due)
                if not data:
                    break
                await self._send(name, writer, data)
        finally:
            taker.cancel()
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _take(self, reader: asyncio.StreamReader, held: asyncio.Queue) -> None:
        data = b"more"
        while data:
            try:
                data = await reader.read(_READ_BYTES)
            except OSError:
                self.reset()
                return
            delay = self._rules.latency_s + self._chance.uniform(0, self._rules.jitter_s)
            await held.put((asyncio.get_running_loop().time() + delay, data))

    async def _pass_moment(self, name: str, due: float) -> None:
        """Returns when the data is due and the direction is open."""
        while True:
            while name in self._rules.stalled:
                await self._changed.wait()
            left = due - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await asyncio.sleep(left)

    async def _send(self, name: str, writer: asyncio.StreamWriter, data: bytes) -> None:
        step = self._rules.slice_bytes or len(data)
        for begin in range(0, len(data), step):
            piece = data[begin:begin + step]
            if self._rules.bytes_per_s:
                await asyncio.sleep(len(piece) / self._rules.bytes_per_s)
            writer.write(piece)
            await writer.drain()
            self._passed[name] += len(piece)
            if self._rules.slice_bytes:
                await asyncio.sleep(0)  # Each piece in a segment of its own.


def _abort(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
