"""`proceed` raises what a stream, a subscription or its block ended with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import farcall
from farcall import CallContext, ConnectionLost, InternalError, Proceed, RpcError
from farcall._nursery import leaves
from farcall.testing import open_pair
from tests.shelf import Dialect, Missing, Shelf, Traffic, open_shelf

SCOPED: tuple[Traffic, ...] = ("stream", "subscription")


class Log:
    """An interceptor that notes how each call has ended."""

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


def begin(session: farcall.Session, traffic: Traffic) -> Any:
    """Begin what lasts as long as a block."""
    if traffic == "stream":
        return session.stream("Shelf.items", count=100)
    return session.subscribe("Shelf.changed")


async def test_a_stream_that_fails_midway_raises_in_the_interceptors_of_its_caller() -> None:
    """The very error that its reader gets."""
    log = Log()
    async with open_pair(Shelf(), Shelf, client_interceptors=[log]) as (shelf, _):
        with pytest.raises(Missing) as caught:
            await read(shelf.torn())
    assert log.ends == [caught.value]


async def test_a_stream_that_fails_midway_raises_in_the_interceptors_of_its_server() -> None:
    """As the generator has raised it."""
    log = Log()
    async with open_pair(Shelf(), Shelf, interceptors=[log]) as (shelf, _):
        with pytest.raises(Missing):
            await read(shelf.torn())
    assert [repr(end) for end in log.ends] == ["Missing(name='the rest')"]


async def test_a_failure_that_the_block_gets_over_is_still_the_end_of_the_stream() -> None:
    """Interceptors see it; out of the block it does not come again."""
    log = Log()
    async with open_pair(Shelf(), Shelf, client_interceptors=[log]) as (shelf, _):
        async with shelf.torn() as items:
            assert await anext(items) == 0
            with pytest.raises(Missing) as caught:
                await anext(items)
    assert log.ends == [caught.value]


async def test_a_group_of_failures_that_the_block_gets_over_does_not_come_again() -> None:
    """No more than a single one, though nurseries on the way copy a group."""
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
    """It is another error, though it was in there."""

    async def unwrap(call: CallContext, proceed: Proceed) -> Any:
        try:
            return await proceed()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async with open_pair(Shelf(), Shelf, client_interceptors=[unwrap]) as (shelf, _):
        with pytest.raises(Missing):
            await read(shelf.torn_twice())


async def test_a_failure_that_nobody_was_told_is_none() -> None:
    """Its reader had left before: that is how the call has ended."""
    log = Log()
    async with open_pair(Shelf(), Shelf, client_interceptors=[log]) as (shelf, _):
        async with shelf.torn() as items:
            assert await anext(items) == 0
            await trio.testing.wait_all_tasks_blocked()
    assert log.ends == [None]


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
@pytest.mark.parametrize("traffic", SCOPED)
async def test_what_a_block_raises_is_what_its_call_ends_with(
    dialect: Dialect, traffic: Traffic
) -> None:
    """Timing and tracing do not take it for a success."""
    log = Log()
    async with open_shelf("memory", [log, log], "client", dialect) as session:
        with pytest.raises(KeyError) as caught:
            async with begin(session, traffic):
                raise KeyError("own")
    assert log.ends == [caught.value] * 2


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
@pytest.mark.parametrize("traffic", SCOPED)
async def test_a_block_that_is_left_ends_its_call_well(dialect: Dialect, traffic: Traffic) -> None:
    """However much there was to come."""
    log = Log()
    async with open_shelf("memory", [log], "client", dialect) as session:
        async with begin(session, traffic) as values:
            await anext(values)
    assert log.ends == [None]


@pytest.mark.parametrize("traffic", SCOPED)
async def test_a_block_that_is_cancelled_cancels_its_interceptors(
    traffic: Traffic, autojump_clock: MockClock
) -> None:
    """On both sides: leaving early is a cancellation over there."""
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
    """It is not cancelled itself, and the call has not ended well all the same."""
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
    """The error that its subscriber gets."""
    log = Log()
    async with open_pair(Shelf(), dialect=dialect, client_interceptors=[log]) as (session, server):

        async def pull() -> None:
            async with session.subscribe("Shelf.lost") as values:
                server._link.abort(1011, "pulled")
                await anext(values)

        with pytest.raises(ConnectionLost) as caught:
            await pull()
    assert log.ends == [caught.value]


async def test_a_subscription_that_its_server_ends_raises_in_the_interceptors_of_both() -> None:
    """A value that is larger than the subscriber takes ends it."""
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
    """What an interceptor makes of an error."""


async def rename(call: CallContext, proceed: Proceed) -> Any:
    """Turn errors into those of the application."""
    try:
        return await proceed()
    except (Missing, KeyError) as exc:
        raise Renamed(str(exc)) from exc


async def test_an_interceptor_may_raise_another_error_in_its_place() -> None:
    """That is what comes out of the block, alone, as it would out of a call."""
    async with open_pair(Shelf(), Shelf, client_interceptors=[rename]) as (shelf, _):
        with pytest.raises(Renamed) as caught:
            await read(shelf.torn())
        assert isinstance(caught.value.__cause__, Missing)
        with pytest.raises(Renamed) as caught:
            async with shelf.torn():
                raise KeyError("own")
        assert isinstance(caught.value.__cause__, KeyError)


async def test_an_error_in_place_of_one_that_the_block_got_over_comes_out_of_it() -> None:
    """It is news to the block."""

    async def get_over(shelf: Shelf) -> None:
        with suppress(Missing):
            async with shelf.torn() as items:
                assert await anext(items) == 0
                with suppress(Missing):
                    await anext(items)

    async with open_pair(Shelf(), Shelf, client_interceptors=[rename]) as (shelf, _):
        with pytest.raises(Renamed):
            await get_over(shelf)


async def test_an_error_keeps_what_it_was_raised_in() -> None:
    """What an interceptor did on the way is in the traceback."""

    async def stumble(call: CallContext, proceed: Proceed) -> Any:
        try:
            return await proceed()
        except KeyError:
            try:
                raise OSError("the log is full")
            except OSError:
                raise Renamed("own")  # noqa: B904 - the context is what is looked at

    async with open_pair(Shelf(), client_interceptors=[stumble]) as (session, _):
        with pytest.raises(Renamed) as caught:
            async with session.subscribe("Shelf.lost"):
                raise KeyError("own")
    assert isinstance(caught.value.__context__, OSError)
    assert isinstance(caught.value.__context__.__context__, KeyError)


async def test_a_nursery_around_proceed_does_not_double_an_error() -> None:
    """It wraps what the block has raised into a group, which says nothing new."""

    async def nest(call: CallContext, proceed: Proceed) -> Any:
        async with trio.open_nursery():
            return await proceed()

    async with open_pair(Shelf(), client_interceptors=[nest]) as (session, _):
        with pytest.raises(KeyError):
            async with session.subscribe("Shelf.lost"):
                raise KeyError("own")


async def test_what_has_begun_is_not_tried_again_when_it_fails() -> None:
    """A retry that does not look gets an error that says so, with the one that it had."""

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
    """What it has given is with its caller already."""

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
    """The way of the error through the interceptors is not in it."""
    async with open_pair(Shelf(), client_interceptors=[Log()]) as (session, _):
        with pytest.raises(RpcError) as caught:
            async with session.subscribe("Shelf.lost"):
                raise RpcError(7, "own")
    assert [entry.name for entry in caught.traceback] == ["test_a_traceback_is_that_of_the_block"]


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_an_interceptor_may_give_another_result(dialect: Dialect) -> None:
    """A server encodes it as the result of the method; a client gives it to the caller as it is."""

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
    """Whoever made it: its caller gets an error, and the log the reason."""

    async def count(call: CallContext, proceed: Proceed) -> Any:
        return len(await proceed())

    async with open_pair(Shelf(), dialect=dialect, interceptors=[count]) as (session, _):
        with pytest.raises(InternalError):
            await session.call("Shelf.find", "pen")
    assert "expected str, got int" in caplog.text


async def forgive(call: CallContext, proceed: Proceed) -> Any:
    """Swallow whatever a call has ended with."""
    try:
        return await proceed()
    except Exception:  # noqa: BLE001 - whatever it is
        return None


async def test_a_server_that_swallows_the_error_of_a_stream_ends_it_well() -> None:
    """Its reader has had all that there is."""
    async with open_pair(Shelf(), Shelf, interceptors=[forgive]) as (shelf, _):
        async with shelf.torn() as items:
            assert [item async for item in items] == [0]


async def test_a_client_cannot_swallow_the_error_of_a_stream() -> None:
    """The code behind the block would run without what it was to read."""
    async with open_pair(Shelf(), Shelf, client_interceptors=[forgive]) as (shelf, _):
        with pytest.raises(Missing):
            await read(shelf.torn())
