"""`proceed` raises the error that ended a stream, a subscription or its block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import farcall
from farcall import CallContext, ConnectionLost, InternalError, Proceed, RpcError
from farcall.testing import open_pair
from tests.ends import cut
from tests.shelf import Dialect, Missing, Shelf, Traffic, open_shelf

SCOPED: tuple[Traffic, ...] = ("stream", "subscription")


class Log:
    """An interceptor that records how each call ends."""

    def __init__(self) -> None:
        self.ends: list[BaseException | None] = []

    async def __call__(self, call: CallContext, proceed: Proceed) -> Any:
        try:
            result = await proceed()
        except BaseException as exc:
            self.ends.append(exc)
            raise
        self.ends.append(None)
        return result


async def read(stream: AbstractAsyncContextManager[AsyncIterator[Any]]) -> None:
    """Read a stream to its end."""
    async with stream as values:
        async for _ in values:
            pass


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Return the errors of a group, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error


def begin(session: farcall.Session, traffic: Traffic) -> Any:
    """Open a stream or a subscription."""
    if traffic == "stream":
        return session.stream("Shelf.items", count=100)
    return session.subscribe("Shelf.changed")


async def test_a_stream_that_fails_midway_raises_in_the_interceptors_of_its_caller() -> None:
    """A stream that fails raises the same error in the client's interceptors as in its reader."""
    log = Log()
    async with open_pair(Shelf(), Shelf, client_interceptors=[log]) as (shelf, _):
        with pytest.raises(Missing) as caught:
            await read(shelf.torn())
    assert log.ends == [caught.value]


async def test_a_stream_that_fails_midway_raises_in_the_interceptors_of_its_server() -> None:
    """A stream that fails raises the generator's error in the server's interceptors."""
    log = Log()
    async with open_pair(Shelf(), Shelf, interceptors=[log]) as (shelf, _):
        with pytest.raises(Missing):
            await read(shelf.torn())
    assert [repr(end) for end in log.ends] == ["Missing(name='the rest')"]


async def test_a_failure_that_the_block_gets_over_is_still_the_end_of_the_stream() -> None:
    """`proceed` raises the error of a stream even if the block handled it; the block does not."""
    log = Log()
    async with open_pair(Shelf(), Shelf, client_interceptors=[log]) as (shelf, _):
        async with shelf.torn() as items:
            assert await anext(items) == 0
            with pytest.raises(Missing) as caught:
                await anext(items)
    assert log.ends == [caught.value]


async def test_a_group_of_failures_that_the_block_gets_over_does_not_come_again() -> None:
    """A handled group of errors does not come out of the block either."""
    log = Log()

    async def nest(call: CallContext, proceed: Proceed) -> Any:
        async with trio.open_nursery():
            return await proceed()

    async with open_pair(Shelf(), Shelf, client_interceptors=[nest, log]) as (shelf, _):
        async with shelf.torn_twice() as items:
            assert await anext(items) == 0
            with pytest.raises(ExceptionGroup, match="both") as caught:
                await anext(items)
    (end,) = log.ends
    assert end is not None
    assert list(leaves(end)) == list(leaves(caught.value))


async def test_a_part_of_a_group_may_be_raised_in_its_place() -> None:
    """An interceptor may raise one error of a group in place of the group."""

    async def unwrap(call: CallContext, proceed: Proceed) -> Any:
        try:
            return await proceed()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async with open_pair(Shelf(), Shelf, client_interceptors=[unwrap]) as (shelf, _):
        with pytest.raises(Missing):
            await read(shelf.torn_twice())


async def test_a_failure_after_the_reader_left_is_not_raised() -> None:
    """An error that the reader never saw is not raised in the interceptors."""
    log = Log()
    async with open_pair(Shelf(), Shelf, client_interceptors=[log]) as (shelf, _):
        async with shelf.torn() as items:
            assert await anext(items) == 0
            await trio.testing.wait_all_tasks_blocked()
    assert log.ends == [None]


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
@pytest.mark.parametrize("traffic", SCOPED)
async def test_an_error_of_the_block_ends_its_call(dialect: Dialect, traffic: Traffic) -> None:
    """`proceed` raises the error that the block raises."""
    log = Log()
    async with open_shelf("memory", [log, log], "client", dialect) as session:
        with pytest.raises(KeyError) as caught:
            async with begin(session, traffic):
                raise KeyError("own")
    assert log.ends == [caught.value] * 2


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
@pytest.mark.parametrize("traffic", SCOPED)
async def test_a_block_that_is_left_ends_its_call_well(dialect: Dialect, traffic: Traffic) -> None:
    """`proceed` returns if the block is left early."""
    log = Log()
    async with open_shelf("memory", [log], "client", dialect) as session:
        async with begin(session, traffic) as values:
            await anext(values)
    assert log.ends == [None]


@pytest.mark.parametrize("traffic", SCOPED)
async def test_a_block_that_is_cancelled_cancels_its_interceptors(
    traffic: Traffic, autojump_clock: MockClock
) -> None:
    """A cancelled block raises Cancelled in the interceptors of both sides."""
    client, server = Log(), Log()
    async with open_pair(Shelf(), interceptors=[server], client_interceptors=[client]) as pair:
        with trio.move_on_after(1):
            async with begin(pair.client, traffic):
                await trio.sleep_forever()
    for log in (client, server):
        assert [type(end) for end in log.ends] == [trio.Cancelled]


@pytest.mark.parametrize("traffic", SCOPED)
async def test_an_interceptor_in_a_shield_sees_the_cancellation_of_the_block(
    traffic: Traffic, autojump_clock: MockClock
) -> None:
    """A cancelled block raises Cancelled even in an interceptor inside a shield."""
    log = Log()

    async def shield(call: CallContext, proceed: Proceed) -> Any:
        with trio.CancelScope(shield=True):
            return await log(call, proceed)

    async with open_pair(Shelf(), client_interceptors=[shield]) as (session, _):
        with trio.move_on_after(1) as scope:
            async with begin(session, traffic):
                await trio.sleep_forever()
        assert scope.cancelled_caught
    assert [type(end) for end in log.ends] == [trio.Cancelled]


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_a_subscription_that_is_lost_raises_in_its_interceptors(dialect: Dialect) -> None:
    """A lost connection raises the same error in the interceptors as in the subscriber."""
    log = Log()
    async with open_pair(Shelf(), dialect=dialect, client_interceptors=[log]) as (session, server):

        async def pull() -> None:
            async with session.subscribe("Shelf.lost") as values:
                cut(server)
                await anext(values)

        with pytest.raises(ConnectionLost) as caught:
            await pull()
    assert log.ends == [caught.value]


async def test_a_subscription_that_its_server_ends_raises_in_the_interceptors_of_both() -> None:
    """A subscription that the server ends raises the error in the interceptors of both sides."""
    shelf, client, server = Shelf(), Log(), Log()
    async with open_pair(
        shelf,
        interceptors=[server],
        client_interceptors=[client],
        limits=farcall.Limits(message=100_000),
    ) as (session, _):

        async def hear() -> None:
            async with session.subscribe("Shelf.lost") as values:
                shelf.lost.emit("x" * 100_000)
                await anext(values)

        with pytest.raises(farcall.ReplyTooLarge) as caught:
            await hear()
    assert client.ends == [caught.value]
    assert [type(end) for end in server.ends] == [farcall.ReplyTooLarge]


class Renamed(Exception):
    """The error that an interceptor raises in place of another one."""


async def rename(call: CallContext, proceed: Proceed) -> Any:
    """Raise another error in place of the one of the call."""
    try:
        return await proceed()
    except (Missing, KeyError) as exc:
        raise Renamed(str(exc)) from exc


async def test_an_interceptor_may_raise_another_error_in_its_place() -> None:
    """The error that an interceptor raises in place of another comes out of the block."""
    async with open_pair(Shelf(), Shelf, client_interceptors=[rename]) as (shelf, _):
        with pytest.raises(Renamed) as caught:
            await read(shelf.torn())
        assert isinstance(caught.value.__cause__, Missing)
        with pytest.raises(Renamed) as caught:
            async with shelf.torn():
                raise KeyError("own")
        assert isinstance(caught.value.__cause__, KeyError)


async def test_an_error_in_place_of_one_that_the_block_got_over_comes_out_of_it() -> None:
    """An interceptor's own error comes out of the block even if the block handled the first one."""

    async def get_over(shelf: Shelf) -> None:
        with suppress(Missing):
            async with shelf.torn() as items:
                assert await anext(items) == 0
                with suppress(Missing):
                    await anext(items)

    async with open_pair(Shelf(), Shelf, client_interceptors=[rename]) as (shelf, _):
        with pytest.raises(Renamed):
            await get_over(shelf)


async def test_an_error_keeps_its_context() -> None:
    """The error of an interceptor keeps its context."""

    async def stumble(call: CallContext, proceed: Proceed) -> Any:
        try:
            return await proceed()
        except KeyError:
            try:
                raise OSError("the log is full")
            except OSError:
                raise Renamed("own")  # noqa: B904 - the test looks at the context

    async with open_pair(Shelf(), client_interceptors=[stumble]) as (session, _):
        with pytest.raises(Renamed) as caught:
            async with session.subscribe("Shelf.lost"):
                raise KeyError("own")
    assert isinstance(caught.value.__context__, OSError)
    assert isinstance(caught.value.__context__.__context__, KeyError)


async def test_a_nursery_around_proceed_does_not_double_an_error() -> None:
    """A nursery around `proceed` does not turn the error of the block into a group."""

    async def nest(call: CallContext, proceed: Proceed) -> Any:
        async with trio.open_nursery():
            return await proceed()

    async with open_pair(Shelf(), client_interceptors=[nest]) as (session, _):
        with pytest.raises(KeyError):
            async with session.subscribe("Shelf.lost"):
                raise KeyError("own")


async def test_a_stream_that_has_begun_is_not_repeated() -> None:
    """A stream that has begun cannot be repeated; the error has the first one as its cause."""

    async def again(call: CallContext, proceed: Proceed) -> Any:
        while True:
            try:
                return await proceed()
            except Missing:
                continue

    async with open_pair(Shelf(), Shelf, client_interceptors=[again]) as (shelf, _):
        with pytest.raises(RuntimeError, match=r"again with the stream of Shelf\.torn") as caught:
            await read(shelf.torn())
    assert isinstance(caught.value.__cause__, Missing)


async def test_a_served_stream_that_has_begun_is_not_tried_again_either(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server's interceptor cannot repeat a stream that has begun."""

    async def again(call: CallContext, proceed: Proceed) -> Any:
        while True:
            try:
                return await proceed()
            except Missing:
                continue

    async with open_pair(Shelf(), Shelf, interceptors=[again]) as (shelf, _):
        with pytest.raises(InternalError):
            await read(shelf.torn())
    assert "again with the stream of Shelf.torn" in caplog.text


async def test_a_traceback_is_that_of_the_block() -> None:
    """The traceback of an error in the block does not show the interceptors."""
    async with open_pair(Shelf(), client_interceptors=[Log()]) as (session, _):
        with pytest.raises(RpcError) as caught:
            async with session.subscribe("Shelf.lost"):
                raise RpcError(7, "own")
    assert [entry.name for entry in caught.traceback] == ["test_a_traceback_is_that_of_the_block"]


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_an_interceptor_may_give_another_result(dialect: Dialect) -> None:
    """An interceptor may change a result; the client's need not have the declared type."""

    async def shout(call: CallContext, proceed: Proceed) -> Any:
        return (await proceed()).upper()

    async def count(call: CallContext, proceed: Proceed) -> Any:
        return len(await proceed())

    async with open_pair(
        Shelf(), dialect=dialect, interceptors=[shout], client_interceptors=[count]
    ) as (session, _):
        assert await session.call("Shelf.find", "pen") == len("PEN IS ON SHELF 1")


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_a_result_that_is_not_of_its_type_is_a_fault_of_the_server(
    dialect: Dialect, caplog: pytest.LogCaptureFixture
) -> None:
    """A result of the wrong type from a server's interceptor is a logged fault of the server."""

    async def count(call: CallContext, proceed: Proceed) -> Any:
        return len(await proceed())

    async with open_pair(Shelf(), dialect=dialect, interceptors=[count]) as (session, _):
        with pytest.raises(InternalError):
            await session.call("Shelf.find", "pen")
    assert "expected str, got int" in caplog.text


async def forgive(call: CallContext, proceed: Proceed) -> Any:
    """Swallow any error of a call."""
    try:
        return await proceed()
    except Exception:  # noqa: BLE001 - on purpose
        return None


async def test_a_server_that_swallows_the_error_of_a_stream_ends_it_well() -> None:
    """A server's interceptor that swallows the error of a stream ends it without one."""
    async with open_pair(Shelf(), Shelf, interceptors=[forgive]) as (shelf, _):
        async with shelf.torn() as items:
            assert [item async for item in items] == [0]


async def test_a_client_cannot_swallow_the_error_of_a_stream() -> None:
    """A client's interceptor cannot swallow the error of a stream."""
    async with open_pair(Shelf(), Shelf, client_interceptors=[forgive]) as (shelf, _):
        with pytest.raises(Missing):
            await read(shelf.torn())
