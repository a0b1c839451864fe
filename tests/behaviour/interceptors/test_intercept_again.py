"""Interceptors that repeat a call, and calls that cannot be repeated."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import attrs
import pytest
import trio

from farcall import (
    ApplicationError,
    Busy,
    CallContext,
    Interceptor,
    InternalError,
    Proceed,
    method,
    service,
)
from farcall import stream as farcall_stream
from farcall.testing import open_pair
from tests.shelf import Dialect, Shelf, Side


@attrs.define
class Jammed(ApplicationError):
    pass


@service
class Press:
    """A service that fails on its first attempt, after it has read some of the upload."""

    def __init__(self) -> None:
        self.tries: list[list[int]] = []

    @method(raises=[Jammed])
    async def total(self, numbers: AsyncIterable[int]) -> int:
        return sum([number async for number in self._read(numbers)])

    @farcall_stream(raises=[Jammed])
    async def double(self, numbers: AsyncIterable[int]) -> AsyncIterator[int]:
        async for number in self._read(numbers):
            yield number * 2

    async def _read(self, numbers: AsyncIterable[int]) -> AsyncIterator[int]:
        seen: list[int] = []
        self.tries.append(seen)
        async for number in numbers:
            seen.append(number)
            if len(self.tries) == 1 and number == 1:
                raise Jammed
            yield number


async def again(call: CallContext, proceed: Proceed) -> Any:
    """Proceed until the call succeeds."""
    while True:
        try:
            return await proceed()
        except (Jammed, Busy):
            continue


class Numbers:
    """An iterable that can be iterated over again."""

    async def __aiter__(self) -> AsyncIterator[int]:
        for number in range(3):
            yield number


async def numbers() -> AsyncIterator[int]:
    """Return an iterator, which can be read once only."""
    for number in range(3):
        yield number


def on_side(side: Side, *interceptors: Interceptor) -> dict[str, Any]:
    """Return the option of `open_pair` for interceptors of one side."""
    return {"interceptors" if side == "server" else "client_interceptors": interceptors}


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_a_client_sends_an_iterable_again(dialect: Dialect) -> None:
    """A repeated call sends all of an iterable again."""
    press = Press()
    async with open_pair(press, Press, dialect=dialect, client_interceptors=[again]) as (client, _):
        assert await client.total(Numbers()) == 3
    assert press.tries == [[0, 1], [0, 1, 2]]


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_a_client_does_not_send_the_rest_of_an_iterator(dialect: Dialect) -> None:
    """A call that has read from an iterator cannot be repeated."""
    press = Press()
    async with open_pair(press, Press, dialect=dialect, client_interceptors=[again]) as (client, _):
        with pytest.raises(RuntimeError, match=r"again with the call of Press\.total"):
            await client.total(numbers())
    assert press.tries == [[0, 1]]


async def test_a_client_does_not_stream_the_rest_of_an_iterator() -> None:
    """A stream with an upload can be repeated with an iterable, but not with an iterator."""

    async def fail_once(call: CallContext, proceed: Proceed) -> Any:
        if not press.tries:
            press.tries.append([])
            raise Busy.after(0)
        return await proceed()

    press = Press()
    async with open_pair(press, Press, interceptors=[fail_once], client_interceptors=[again]) as (
        client,
        _,
    ):
        with pytest.raises(RuntimeError, match=r"again with the stream of Press\.double"):
            async with client.double(numbers()):
                pass
        press.tries.clear()
        async with client.double(Numbers()) as doubled:
            assert [number async for number in doubled] == [0, 2, 4]


async def test_a_server_does_not_run_a_handler_again_on_the_rest_of_an_upload(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server does not run a handler again once it has read from the upload."""
    press = Press()
    async with open_pair(press, Press, interceptors=[again]) as (client, _):
        with pytest.raises(InternalError):
            await client.total(Numbers())
    assert press.tries == [[0, 1]]
    assert "again with the call of Press.total" in caplog.text


@pytest.mark.parametrize("side", ["server", "client"])
async def test_what_has_not_been_read_may_be_tried_again(side: Side) -> None:
    """A call may be repeated if its upload has not been read."""
    tries = 0

    async def fail_once(call: CallContext, proceed: Proceed) -> Any:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise Busy.after(0)
        return await proceed()

    press = Press()
    press.tries.append([])  # the first attempt, which would fail
    async with open_pair(press, Press, **on_side(side, again, fail_once)) as (client, _):
        assert await client.total(numbers()) == 3
    assert tries == 2


async def test_a_client_does_not_start_a_remote_task_again() -> None:
    """A client's interceptor cannot start a remote task twice."""
    runs: list[str] = []

    async def twice(call: CallContext, proceed: Proceed) -> Any:
        runs.append(await proceed())
        return await proceed()

    async with open_pair(Shelf(), Shelf, client_interceptors=[twice]) as (shelf, _):
        with pytest.RaisesGroup(
            pytest.RaisesExc(RuntimeError, match=r"again with the call of Shelf\.work")
        ):
            async with trio.open_nursery() as nursery:
                assert await nursery.start(shelf.work) == 1
    assert runs == ["done"]


async def test_a_server_does_not_start_a_task_again_on_the_rest_of_an_upload(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A task that has read from its upload is not run again, even before it has started."""

    @service
    class Mill:
        def __init__(self) -> None:
            self.ground: list[int] = []

        @method(raises=[Jammed])
        async def grind(
            self,
            numbers: AsyncIterable[int],
            *,
            task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
        ) -> None:
            async for number in numbers:
                self.ground.append(number)
                raise Jammed
            task_status.started()

    mill = Mill()
    async with open_pair(mill, Mill, interceptors=[again]) as (client, _):
        with pytest.raises(InternalError):
            await client.grind(Numbers())
    assert mill.ground == [0]
    assert "again with the call of Mill.grind" in caplog.text
