"""What interceptors are told of a call, and what they may tell in turn."""

from __future__ import annotations

from typing import Any

import pytest

from farcall import CallContext, Interceptor, Proceed, Signal, current_call, service
from farcall.testing import open_pair
from tests.ends import KINDS, Kind
from tests.shelf import TRAFFIC, Dialect, Side, Traffic, open_shelf, use


@service
class Bell:
    """What a client serves for the server to call back."""

    async def ring(self) -> str:
        return "ding"


@service
class Porter:
    async def call_back(self) -> str:
        return await current_call().connection.proxy(Bell).ring()


async def test_an_interceptor_can_tell_served_calls_from_own_ones() -> None:
    """On both sides it stands around both, so that a rate limit can let those of its own pass."""
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
    """The same field says so for each kind of call."""
    seen: list[bool] = []

    async def note(call: CallContext, proceed: Proceed) -> Any:
        seen.append(call.is_served)
        return await proceed()

    async with open_shelf(kind, [note], side, dialect) as session:
        await use(session, traffic)
    assert seen == [side == "server"]


async def test_who_decides_on_subscriptions_decides_on_served_ones() -> None:
    """``allow=`` is given the same kind of call."""
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
