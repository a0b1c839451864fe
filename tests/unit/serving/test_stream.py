"""Streams while they are served: the generator, and how it ends."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from farcall import (
    ApplicationError,
    DeadlineExceeded,
    EncodeError,
    InternalError,
    Json,
    Limits,
    RemoteCancelled,
    ReplyTooLarge,
    RpcError,
    service,
    stream,
)
from farcall._client.options import Dialect
from farcall.errors import ErrorCode
from farcall.testing import open_pair

T = TypeVar("T")

MANY = 100_000
"""Items after which an endless generator stops in any case."""


@service
class Numbers:
    def __init__(self) -> None:
        self.given = 0

    async def told(self) -> int:
        """Return how many items were yielded."""
        return self.given

    @stream
    async def count(self) -> AsyncIterator[int]:
        """Yield without waiting."""
        while self.given < MANY:
            self.given += 1
            yield self.given


async def test_a_generator_that_waits_for_nothing_ends_with_its_stream(
    autojump_clock: MockClock,
) -> None:
    """Each item is a checkpoint, so a generator that never waits can be cancelled."""
    numbers = Numbers()
    async with open_pair(numbers, Numbers) as (proxy, connection), trio.open_nursery() as nursery:
        transport: Any = connection._link._transport
        async with proxy.count() as items:
            await wait_all_tasks_blocked()
            transport.freeze()
            for _ in range(20):  # worth credit, which wakes the generator; the cancel is behind it
                await anext(items)
            await wait_all_tasks_blocked()
            nursery.start_soon(thaw_soon, transport)

        assert numbers.given < 100


async def thaw_soon(transport: Any) -> None:
    await trio.sleep(0.1)
    transport.thaw()


async def test_a_generator_that_waits_for_nothing_holds_up_nobody_while_an_array_is_made(
    autojump_clock: MockClock,
) -> None:
    """A plain peer gets one array; other calls run while it is collected."""
    numbers = Numbers()
    async with (
        open_pair(numbers, dialect="plain") as (session, _),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_enter, session.stream("Numbers.count"))
        await wait_until(lambda: numbers.given > 10)

        assert await session.call("Numbers.told") < MANY
        nursery.cancel_scope.cancel()


async def _enter(stream: AbstractAsyncContextManager[AsyncIterator[int]]) -> None:
    async with stream:
        pass


async def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        await trio.lowlevel.checkpoint()


@service
class Parts:
    @stream
    async def texts(self, sizes: list[int]) -> AsyncIterator[str]:
        for size in sizes:
            yield "x" * size

    @stream
    async def blobs(self, sizes: list[int]) -> AsyncIterator[bytes]:
        for size in sizes:
            yield b"x" * size


async def test_items_are_joined_as_far_as_the_peer_takes_them(autojump_clock: MockClock) -> None:
    """A message has as many items as the limit of the peer allows."""
    async with open_pair(Parts(), Parts, limits=Limits(message=2048)) as (parts, _):
        async with parts.texts([400] * 100) as texts:
            assert [len(text) async for text in texts] == [400] * 100
        async with parts.blobs([400] * 100) as blobs:
            assert [len(blob) async for blob in blobs] == [400] * 100


@pytest.mark.parametrize("kind", ["texts", "blobs"])
async def test_an_item_passes_whole_or_ends_its_stream(
    kind: str, autojump_clock: MockClock
) -> None:
    """An item that is too large ends its stream with -32008 after the items before it."""
    limit = 1024
    refusals: list[ReplyTooLarge] = []
    async with open_pair(Parts(), Parts, limits=Limits(message=limit)) as (parts, _):
        for size in range(limit - 200, limit):
            # When the last item is put, none before it has left: its number gets another digit.
            sizes, lengths = [1] * 11 + [size], list[int]()
            try:
                async with getattr(parts, kind)(sizes) as items:
                    await extend(lengths, items)
            except ReplyTooLarge as refusal:
                refusals.append(refusal)
                sizes.pop()

            assert lengths == sizes
    assert 0 < len(refusals) < 200
    assert refusals[-1].data["limit"] == "message"
    excess = [refusal.data["excess"] for refusal in refusals]
    assert 0 < excess[0] < 4
    assert excess == sorted(excess)


async def extend(lengths: list[int], items: AsyncIterator[str | bytes]) -> None:
    """Read items until the stream ends."""
    async for item in items:
        lengths.append(len(item))  # noqa: PERF401 - those before an error count as well


@attrs.define
class Spoilt(ApplicationError):
    pass


@service
class Large:
    """Streams of three items, the last of which waits because the link is full."""

    @stream
    async def ended(self) -> AsyncIterator[str]:
        """Yield all items and return."""
        await trio.sleep(0.5)
        yield LARGE
        yield LARGE
        yield ""

    @stream(raises=[Spoilt])
    async def failed(self) -> AsyncIterator[str]:
        """Yield all items and raise."""
        await trio.sleep(0.5)
        yield LARGE
        yield LARGE
        yield ""
        raise Spoilt

    @stream
    async def stubborn(self) -> AsyncIterator[str]:
        """Yield all items and return, even if cancelled."""
        await trio.sleep(0.5)
        yield LARGE
        yield LARGE
        yield ""
        with trio.CancelScope(shield=True):
            await trio.sleep(2)


LARGE = "x" * 80_000
"""Larger than a link in memory holds; two of them fit into the window of a stream."""


@pytest.mark.parametrize("kind", ["ended", "failed", "stubborn"])
async def test_a_stream_that_lost_items_does_not_end_as_if_it_had_given_them(
    kind: str, autojump_clock: MockClock
) -> None:
    """A stream that its server cancels drops items, so its outcome is the cancellation."""
    async with open_pair(Large(), Large) as (large, connection):
        link: Any = connection._link
        lengths: list[int] = []
        with pytest.raises(RemoteCancelled):
            await read_slowly(getattr(large, kind)(), link, lengths)

        assert lengths == [80_000, 80_000]


async def read_slowly(
    stream: AbstractAsyncContextManager[AsyncIterator[str]], link: Any, lengths: list[int]
) -> None:
    """Read only after the server has cancelled the stream, as at the end of a drain."""
    async with stream as items:
        link._transport._outbound.freeze()
        await trio.sleep(1)
        link.handler.on_grace_over()
        await trio.sleep(3)
        link._transport._outbound.thaw()
        await extend(lengths, items)


@service
class Clock:
    @stream
    async def ticks(self, count: int) -> AsyncIterator[int]:
        for number in range(count):
            yield number
            await trio.sleep(0.1)


@pytest.mark.parametrize("is_local", [True, False])
async def test_several_tasks_may_read_one_stream(is_local: bool, autojump_clock: MockClock) -> None:
    """Each item goes to one of several tasks, and all of them see the end."""
    clock, got = Clock(), list[int]()
    async with open_pair(clock, Clock) as (proxy, _), contextlib.AsyncExitStack() as stack:
        ticks = await stack.enter_async_context((clock if is_local else proxy).ticks(20))

        async def read() -> None:
            async for tick in ticks:
                got.append(tick)

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(read)

    assert got == list(range(20))


@service
class Both:
    """Streams that are also called without items."""

    @stream
    async def numbers(self, count: int) -> AsyncIterator[int]:
        for number in range(count):
            yield number

    @stream
    async def blobs(self) -> AsyncIterator[bytes]:
        yield b"\xff"

    @stream
    async def slow(self) -> AsyncIterator[int]:
        for number in range(100):
            yield number
            await trio.sleep(1)


DIALECTS: list[Dialect] = ["farcall", "plain"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_stream_that_is_called_is_answered_with_an_array(
    dialect: Dialect, autojump_clock: MockClock
) -> None:
    """A caller without a window for items gets one array of them."""
    async with open_pair(Both(), dialect=dialect) as (session, _):
        assert await session.call("Both.numbers", 3) == [0, 1, 2]
        assert await session.call("Both.numbers", 2, returns=tuple[int, ...]) == (0, 1)
        assert await session.call("Both.numbers", 0) == []
        assert await session.call("Both.blobs") == ["/w=="]
        assert await session.call("Both.blobs", returns=list[bytes]) == [b"\xff"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_stream_that_is_called_takes_no_longer_than_a_call(
    dialect: Dialect, autojump_clock: MockClock
) -> None:
    """max_call_seconds limits a stream that is called for one array."""
    async with open_pair(Both(), dialect=dialect, max_call_seconds=5) as (session, _):
        with pytest.raises(RpcError) as refusal:
            await session.call("Both.slow")

        assert refusal.value.code == ErrorCode.DEADLINE_EXCEEDED
        assert isinstance(refusal.value, DeadlineExceeded) is (dialect == "farcall")
        assert trio.current_time() == 5


async def test_a_stream_that_is_called_ends_with_its_caller(autojump_clock: MockClock) -> None:
    """The deadline of the caller ends the stream."""
    async with open_pair(Both()) as (session, connection):
        with trio.move_on_after(2) as scope:
            await session.call("Both.slow")

        assert scope.cancelled_caught
        assert connection.statistics().calls_in == 0


async def test_a_stream_that_is_read_lasts_as_long_as_it_is_read(autojump_clock: MockClock) -> None:
    """max_call_seconds does not limit a stream that is read item by item."""
    async with open_pair(Both(), Both, max_call_seconds=5) as (both, _):
        async with both.slow() as numbers:
            for _ in range(10):
                await anext(numbers)


@service
class Deep:
    @stream
    async def nested(self, depth: int) -> AsyncIterator[Json]:
        """Yield a flat item, and a deep one."""
        value: Json = []
        yield value
        for _ in range(depth - 1):
            value = [value]
        yield value


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_item_that_is_too_deep_ends_its_stream(
    dialect: Dialect, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """An item that nests too deep ends its stream with -32008; the link is still usable."""
    async with open_pair(Deep(), Deep, dialect=dialect) as (deep, _):
        got: list[Json] = []
        with pytest.raises(RpcError) as refusal:
            await read_all(deep.nested(61), got)

        assert refusal.value.code == ErrorCode.REPLY_TOO_LARGE
        assert isinstance(refusal.value, ReplyTooLarge) is (dialect == "farcall")

        # A plain peer gets all items, or none.
        assert got == ([[]] if dialect == "farcall" else [])

        assert refusal.value.data == {"limit": "depth", "most": 64}
        async with deep.nested(2) as values:
            assert [value async for value in values] == [[], [[]]]
    assert caplog.messages == []


async def read_all(stream: AbstractAsyncContextManager[AsyncIterator[T]], got: list[T]) -> None:
    async with stream as values:
        async for value in values:
            got.append(value)  # noqa: PERF401 - those before an error count as well


@service
class Merged:
    """Generators with an open block when their stream ends."""

    def __init__(self) -> None:
        self.saw: list[str] = []

    @stream
    async def merged(self) -> AsyncIterator[int]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._wait)
            for number in range(10_000):
                try:
                    yield number
                except BaseException as exc:
                    self.saw.append(type(exc).__name__)
                    raise

    @stream
    async def odd(self) -> AsyncIterator[int]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._wait)
            yield 1
            yield "no number"  # type: ignore[misc]

    @stream
    async def failing(self) -> AsyncIterator[int]:
        """Raise in a child task while the reader takes no items."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._fail)
            for number in range(10_000):
                yield number

    async def _wait(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.saw.append("child ended")

    async def _fail(self) -> None:
        await trio.sleep(1)
        raise Gone("by itself")


@attrs.define
class Gone(ApplicationError):
    why: str


def errors_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


async def test_a_generator_with_a_nursery_is_cancelled_where_it_stands(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The generator gets Cancelled at its yield, its nursery ends, and nothing is logged."""
    served = Merged()
    async with open_pair(served, Merged) as (proxy, _):
        async with proxy.merged() as numbers:
            async for _number in numbers:
                break

        assert sorted(served.saw) == ["Cancelled", "child ended"]
    assert errors_in(caplog) == []


async def test_an_item_of_another_type_ends_a_generator_with_a_nursery(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The response and the log have the error of the item."""
    served = Merged()
    async with open_pair(served, Merged) as (proxy, _):
        async with proxy.odd() as numbers:
            assert await anext(numbers) == 1
            with pytest.raises(InternalError):
                await anext(numbers)

    assert served.saw == ["child ended"]
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], EncodeError)


async def test_a_nursery_in_a_generator_tells_what_failed_in_it(autojump_clock: MockClock) -> None:
    """An exception of a child task ends the generator, even while it waits for its reader."""
    async with open_pair(Merged(), Merged) as (proxy, _), proxy.failing() as numbers:
        await trio.sleep(2)
        with pytest.RaisesGroup(InternalError):
            async for _number in numbers:
                pass


async def test_a_generator_that_yields_although_it_is_cancelled_is_at_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A generator that yields after its cancellation is closed, and the log says so."""

    @service(name="")
    class Stubborn:
        def __init__(self) -> None:
            self.closed = False

        @stream
        async def count(self) -> AsyncIterator[int]:
            try:
                for number in range(10_000):
                    with contextlib.suppress(trio.Cancelled):
                        yield number
            finally:
                self.closed = True

    stubborn = Stubborn()
    async with open_pair(stubborn) as (session, _):
        async with session.stream("count") as numbers:
            async for _number in numbers:
                break

        assert stubborn.closed
    assert "yielded although" in str(caplog.records[-1].exc_info)
