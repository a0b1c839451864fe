"""What an interceptor knows of its call, and the trace that it can set."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import farcall
from farcall import CallContext, Interceptor, Proceed, Signal, current_call, service
from farcall.testing import open_pair
from tests.ends import KINDS, Kind, open_client, wait_until
from tests.shelf import OUTCOMES, TRAFFIC, Dialect, Shelf, Side, Traffic, open_shelf, use


@service
class Bell:
    """A client's service for calls back."""

    async def ring(self) -> str:
        return "ding"


@service
class Porter:
    async def call_back(self) -> str:
        return await current_call().connection.proxy(Bell).ring()


async def test_an_interceptor_can_tell_served_calls_from_own_ones() -> None:
    """`call.is_served` tells calls that this side serves from calls that it makes."""
    seen: dict[Side, list[tuple[str, bool]]] = {"server": [], "client": []}

    def noting(side: Side) -> Interceptor:
        async def note(call: CallContext, proceed: Proceed) -> Any:
            seen[side].append((call.method, call.is_served))
            return await proceed()

        return note

    async with open_pair(
        Porter(),
        Porter,
        serves=[Bell()],
        interceptors=[noting("server")],
        client_interceptors=[noting("client")],
    ) as (porter, _):
        assert await porter.call_back() == "ding"
    assert seen["server"] == [("Porter.call_back", True), ("Bell.ring", False)]
    assert seen["client"] == [("Porter.call_back", False), ("Bell.ring", True)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", ["farcall", "plain"])
@pytest.mark.parametrize("side", ["server", "client"])
@pytest.mark.parametrize("traffic", TRAFFIC)
async def test_streams_and_subscriptions_are_told_from_own_ones_as_well(
    kind: Kind, dialect: Dialect, side: Side, traffic: Traffic
) -> None:
    """`call.is_served` holds for every kind of call."""
    seen: list[bool] = []

    async def note(call: CallContext, proceed: Proceed) -> Any:
        seen.append(call.is_served)
        return await proceed()

    async with open_shelf(kind, [note], side, dialect) as session:
        await use(session, traffic)
    assert seen == [side == "server"]


async def test_allow_gets_a_served_call() -> None:
    """`allow` of a signal gets a call with `is_served` set."""
    seen: list[bool] = []

    def allow(call: CallContext, key: None) -> bool:
        seen.append(call.is_served)
        return True

    @service
    class Board:
        moved: Signal[int] = Signal(allow=allow)

    async with open_pair(Board()) as (session, _), session.subscribe("Board.moved"):
        pass
    assert seen == [True]


SPAN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def mark(call: CallContext, proceed: Proceed) -> Any:
    """Set the trace of every call."""
    call.trace = SPAN
    return await proceed()


async def use_all(session: farcall.Session) -> None:
    """Use the shelf with every kind of call."""
    for traffic in TRAFFIC:
        await use(session, traffic)
    await session.notify("Shelf.find", "pen")
    shelf = session.proxy(Shelf)
    await shelf.put("pen")
    async with trio.open_nursery() as nursery:
        await nursery.start(shelf.work)
    await session.ping()


EVERY_USE = ["Shelf.find", "Shelf.items", "Shelf.changed", "Shelf.find", "Shelf.put", "Shelf.work"]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_span_that_a_client_sets_reaches_its_server(kind: Kind) -> None:
    """The trace that a client's interceptor sets reaches the server with every kind of call."""
    seen: list[tuple[str, str | None]] = []

    async def note(call: CallContext, proceed: Proceed) -> Any:
        seen.append((call.method, call.trace))
        return await proceed()

    async with open_client(
        kind, Shelf(), interceptors=[note], client_interceptors=[mark]
    ) as session:
        await use_all(session)
        await wait_until(lambda: len(seen) == len(EVERY_USE))
    assert seen == [(method, SPAN) for method in EVERY_USE]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_plain_peer_is_told_no_span(kind: Kind) -> None:
    """A plain peer gets no trace."""
    seen: list[str | None] = []

    async def note(call: CallContext, proceed: Proceed) -> Any:
        seen.append(call.trace)
        return await proceed()

    async with open_client(
        kind, Shelf(), dialect="plain", interceptors=[note], client_interceptors=[mark]
    ) as session:
        for traffic in TRAFFIC:
            await use(session, traffic)
        await session.notify("Shelf.find", "pen")
        await wait_until(lambda: len(seen) == 4)
    assert seen == [None] * 4


async def test_what_a_handler_asks_for_belongs_to_the_span_of_its_call() -> None:
    """Calls that a handler makes carry the trace of its own call."""
    seen: list[tuple[str, str | None]] = []

    async def note(call: CallContext, proceed: Proceed) -> Any:
        seen.append((call.method, call.trace))
        return await proceed()

    @service
    class Reader:
        """A service that uses a shelf for its callers."""

        async def read(self) -> None:
            await use_all(shelf)

    async with (
        open_pair(Shelf(), interceptors=[note]) as (shelf, _),
        open_pair(Reader(), client_interceptors=[mark]) as (session, _),
    ):
        await session.call("Reader.read")
    assert seen == [(method, SPAN) for method in EVERY_USE]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", ["farcall", "plain"])
@pytest.mark.parametrize("side", ["server", "client"])
@pytest.mark.parametrize("traffic", TRAFFIC)
async def test_the_arguments_of_a_call_are_not_for_interceptors_to_change(
    kind: Kind, dialect: Dialect, side: Side, traffic: Traffic
) -> None:
    """The arguments that an interceptor gets cannot be changed."""
    seen: list[Any] = []

    async def change(call: CallContext, proceed: Proceed) -> Any:
        given: Any = call.arguments
        with pytest.raises(TypeError, match="does not support item assignment"):
            given["count"] = 1
        seen.append(given is call.arguments)
        return await proceed()

    async with open_shelf(kind, [change], side, dialect) as session:
        assert await use(session, traffic) == OUTCOMES[traffic]
    assert seen == [True]
