"""An error comes out of `connect` and `serve` as itself, not in a group of an inner nursery."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest
import trio
import trio.testing

import farcall
from farcall import background, service
from farcall.testing import open_pair
from tests.ends import cut


@service
class Desk:
    async def hang(self) -> None:
        await trio.sleep_forever()


@service
class Failing:
    """A client's service with a background method that fails when a test says so."""

    def __init__(self) -> None:
        self.fail = trio.Event()

    @background
    async def watch(self) -> None:
        await self.fail.wait()
        raise KeyError("background")

    async def nothing(self) -> None: ...


Body: TypeAlias = Callable[[farcall.Session, Callable[[], None]], Awaitable[None]]
"""The block of a connection: it gets the session, and a function that cuts the link."""

Run: TypeAlias = Callable[..., Awaitable[None]]
"""A function that runs a block in a connection with some options."""


async def in_memory(body: Body, **options: Any) -> None:
    async with open_pair(Desk(), **options) as (session, connection):
        await body(session, lambda: cut(connection))


async def over_websocket(body: Body, **options: Any) -> None:
    async with (
        farcall.open_server(Desk(), 0) as server,
        farcall.connect(server.url, **options) as session,
    ):
        await body(session, lambda: cut(session))


@pytest.fixture(params=[in_memory, over_websocket])
def run(request: pytest.FixtureRequest) -> Run:
    found: Run = request.param
    return found


async def test_the_error_of_the_body_comes_out_as_itself(run: Run) -> None:
    """An error in the block of a connection comes out as itself, without a context."""

    async def body(_session: farcall.Session, _cut: Callable[[], None]) -> None:
        raise KeyError("body")

    with pytest.raises(KeyError, match="body") as caught:
        await run(body)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("is_noticed", [True, False])
async def test_the_error_of_the_body_comes_out_when_the_link_has_ended(
    run: Run, is_noticed: bool
) -> None:
    """An error in the block comes out as itself if the link ends at the same time."""

    async def body(_session: farcall.Session, cut: Callable[[], None]) -> None:
        cut()
        if is_noticed:
            await trio.testing.wait_all_tasks_blocked()
        raise KeyError("body")

    with pytest.raises(KeyError, match="body"):
        await run(body)


async def test_a_call_that_loses_its_link_says_so_plainly(run: Run) -> None:
    """ConnectionLost comes out of the block of the connection as itself."""

    async def body(session: farcall.Session, cut: Callable[[], None]) -> None:
        cut()
        await session.call("Desk.hang")

    with pytest.raises(farcall.ConnectionLost):
        await run(body)


async def test_the_error_of_a_background_method_ends_the_body(run: Run) -> None:
    """The error of a background method ends the block and comes out as itself."""
    failing = Failing()

    async def body(_session: farcall.Session, _cut: Callable[[], None]) -> None:
        failing.fail.set()
        await trio.sleep_forever()

    with pytest.raises(KeyError, match="background"):
        await run(body, serves=[failing])


async def test_two_errors_are_a_group(run: Run) -> None:
    """An error of a background method and one of the block come out as a group."""
    failing = Failing()

    async def body(_session: farcall.Session, _cut: Callable[[], None]) -> None:
        failing.fail.set()
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("body")

    with pytest.RaisesGroup(
        pytest.RaisesExc(KeyError, match="background"), pytest.RaisesExc(ValueError, match="body")
    ):
        await run(body, serves=[failing])


async def test_an_error_of_a_cancelled_body_is_not_lost(run: Run) -> None:
    """An error that a block raises while it is cancelled comes out."""

    async def body(_session: farcall.Session, _cut: Callable[[], None]) -> None:
        scope.cancel()
        raise KeyError("body")

    with pytest.raises(KeyError, match="body"):
        with trio.CancelScope() as scope:
            await run(body)


async def test_a_group_of_the_body_stays_a_group(run: Run) -> None:
    """A group that the block raises stays a group."""

    async def body(_session: farcall.Session, _cut: Callable[[], None]) -> None:
        async with trio.open_nursery():
            raise KeyError("mine")

    with pytest.RaisesGroup(KeyError):
        await run(body)
