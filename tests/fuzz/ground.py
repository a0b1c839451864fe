"""Where the fuzzer's peers meet a server: one of every kind of member, and a good client beside."""

from __future__ import annotations

import gc
import logging
import socket
import struct
import tracemalloc
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import attrs
import trio
import trio.testing

import farcall
from farcall import ApplicationError, Json, Signal, current_call, method, service
from farcall._websocket import LOST
from tests.ends import wait_until
from tests.fuzz.cases import Case, Ending
from tests.fuzz.oracle import check_answer
from tests.fuzz.said import UPGRADE
from tests.websocket.sockets import TEXT, Raw, frame

AT_ONCE = 2.0
"""Seconds for an answer that takes a millisecond, on a machine that may be busy."""

SLACK = 256 * 1024
"""Bytes by which Python's own caches and free lists may grow, over any number of cases."""

QUESTION = b'{"jsonrpc":"2.0","id":1,"method":"fuzz.add","params":[1,2]}'
ANSWER = b'{"jsonrpc":"2.0","id":1,"result":3}'


@attrs.frozen
class Part:
    name: str
    size: int
    inner: list[Part] = attrs.field(factory=list["Part"])


@attrs.define
class Refused(ApplicationError):
    why: str


@service(name="back")
class Back:
    """What no hostile peer serves, and some answer for all that."""

    async def anything(self) -> Json: ...


@service(name="fuzz")
class Target:
    """A service whose methods have no defects: whatever fails is farcall's."""

    ticked: Signal[int] = Signal(retain=True)
    keyed: Signal[Part] = Signal(key="name")
    told: Signal[str] = Signal(broadcast=True)

    async def add(self, a: int, b: int) -> int:
        return a + b

    def join(self, texts: list[str]) -> str:
        self.told.emit("joined")
        return "".join(texts)

    async def echo(self, value: Json) -> Json:
        return value

    async def describe(self, part: Part) -> Part:
        self.keyed.emit(Part(part.name, 1))
        return part

    async def nap(self, seconds: float) -> None:
        self.ticked.emit(1)
        await trio.sleep(max(0, seconds))

    @method(raises=[Refused])
    async def refuse(self, why: str) -> None:
        raise Refused(why)

    @method(oneway=True)
    async def say(self, number: int) -> None:
        self.ticked.emit(number)

    async def ask_back(self) -> Json:
        with suppress(farcall.FarcallError):
            return await current_call().connection.proxy(Back).anything()
        return None


@attrs.frozen
class State:
    """What a process holds."""

    tasks: int
    descriptors: int
    bytes: int

    @classmethod
    def now(cls) -> State:
        """Take stock; bytes count while `tracemalloc` runs."""
        gc.collect()
        return cls(
            trio.lowlevel.current_statistics().tasks_living,
            len(list(Path("/dev/fd").iterdir())),
            tracemalloc.get_traced_memory()[0],
        )

    def check(self, before: State) -> None:
        """Check that nothing has stayed.

        Raises:
            AssertionError: tasks, descriptors or memory are not back where they were.
        """
        assert (self.tasks, self.descriptors) == (before.tasks, before.descriptors)
        assert self.bytes - before.bytes < SLACK, f"{self.bytes - before.bytes} bytes more"


class Ground:
    """A server, and a client that wants to be served at once whatever others do."""

    def __init__(
        self, server: farcall.Server, client: farcall.Session, errors: Sequence[str]
    ) -> None:
        self._server = server
        self._client = client
        self._errors = errors

    async def meet(self, case: Case) -> None:
        """Let a hostile peer do its worst, and see that everybody else is served.

        Raises:
            AssertionError: the server said what it may not, or somebody was not served.
        """
        script = case.script()
        said, has_hung_up = await attack(self._server.port, script.pieces, script.ending)
        assert not self._errors, "\n".join(self._errors)
        check_answer(said, has_hung_up=has_hung_up)
        with trio.fail_after(AT_ONCE):
            assert await self._client.call("fuzz.add", 1, 2) == 3
        with trio.fail_after(AT_ONCE):
            await _be_served(self._server.port)

    async def settle(self) -> State:
        """Wait until the good client is alone, and take stock.

        Raises:
            trio.TooSlowError: something of the others is still there.
            AssertionError: something was logged as an error.
        """
        await wait_until(lambda: self._counts() == (1, 0, 0))
        assert not self._errors, "\n".join(self._errors)
        await trio.testing.wait_all_tasks_blocked(0.01)
        return State.now()

    def _counts(self) -> tuple[int, int, int]:
        statistics = self._server.statistics()
        return statistics.connections, statistics.pending, statistics.calls


@asynccontextmanager
async def open_ground() -> AsyncIterator[Ground]:
    """Serve; whatever is logged as an error is a finding."""
    with _collected_errors() as errors:
        async with trio.open_nursery() as nursery:
            server: farcall.Server = await nursery.start(farcall.serve, Target(), 0)
            async with farcall.connect(server.url) as client:
                yield Ground(server, client, errors)
            server.shutdown()


async def attack(port: int, pieces: Sequence[bytes], ending: Ending) -> tuple[bytes, bool]:
    """Send pieces, hang up; give what was heard, and whether the server hung up first."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream, trio.open_nursery() as nursery:
        ear = Ear(stream)
        nursery.start_soon(ear.listen)
        with suppress(*LOST):
            for piece in pieces:
                await stream.send_all(piece)
                await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked(0.001)
        has_hung_up = ear.has_heard_all
        if ending == "half":
            with suppress(*LOST):
                await stream.send_eof()
            await trio.testing.wait_all_tasks_blocked(0.001)
        elif ending == "reset":
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        nursery.cancel_scope.cancel()
    return bytes(ear.heard), has_hung_up


class Ear:
    """Listens to a server to its end."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.heard = bytearray()
        self.has_heard_all = False
        """Whether the server has hung up, in good order."""

    async def listen(self) -> None:
        with suppress(*LOST):
            async for data in self._stream:
                self.heard.extend(data)
            self.has_heard_all = True


async def _be_served(port: int) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        raw = Raw(stream)
        await raw.send(UPGRADE, frame(TEXT, QUESTION))
        await raw.read_head()
        await raw.expect(frame(TEXT, ANSWER, masked=False))


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(logging.Formatter().format(record))


@contextmanager
def _collected_errors() -> Iterator[Sequence[str]]:
    errors, logger = _Errors(), logging.getLogger("farcall")
    logger.addHandler(errors)
    try:
        yield errors.told
    finally:
        logger.removeHandler(errors)
