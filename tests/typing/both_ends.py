"""Calls back and interceptors: right uses by `assert_type`, wrong ones by an ignored error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal, assert_type

import farcall
from examples.chat.service import Chat
from examples.market import service
from examples.market.service import Market
from farcall import CallContext, Connection, Proceed, Session, Subscription, current_call
from farcall.testing import open_pair
from stubs.market import MarketProxy, Quote


async def calling_back_by_stub() -> None:
    connection = current_call().connection
    assert_type(connection, Connection)
    market = connection.proxy(MarketProxy)
    assert_type(market, MarketProxy)
    assert_type(await market.quote("ACME"), Quote)
    assert_type(market.history("ACME"), AbstractAsyncContextManager[AsyncIterator[Quote]])
    async with market.ticked.subscribe(key="ACME") as ticks:
        assert_type(ticks, Subscription[Quote])

    await market.quote(7)  # type: ignore[arg-type]
    await connection.proxy(MarketProxy).quote()  # type: ignore[call-arg]
    await connection.proxy(MarketProxy).sell("ACME")  # type: ignore[attr-defined]
    own: Market = connection.proxy(MarketProxy)  # type: ignore[assignment]
    connection.proxy("MarketProxy")  # type: ignore[arg-type]
    connection.proxy()  # type: ignore[call-arg]


async def calling_back_by_class(connection: Connection) -> None:
    market = connection.proxy(Market)
    assert_type(market, Market)
    assert_type(await market.quote("ACME"), service.Quote)
    async with market.history("ACME") as history:
        assert_type(history, AsyncIterator[service.Quote])
    async with market.ticked.subscribe(key="ACME") as ticks:
        assert_type(ticks, Subscription[service.Quote])

    await market.quote(7)  # type: ignore[arg-type]
    await connection.proxy(Market).sell("ACME")  # type: ignore[attr-defined]
    stub: MarketProxy = connection.proxy(Market)  # type: ignore[assignment]
    number: int = await connection.proxy(Market).quote("ACME")  # type: ignore[assignment]
    connection.proxy(Market())  # type: ignore[arg-type]


async def serving_while_connected() -> None:
    async with farcall.connect("ws://a", MarketProxy, serves=[Chat()]) as market:
        assert_type(market, MarketProxy)
    async with farcall.connect("ws://a", serves=[Chat(), Market()]) as session:
        assert_type(session, Session)
    async with open_pair(Market(), MarketProxy, serves=[Chat()]) as pair:
        assert_type(pair.connection.proxy(Chat), Chat)

    farcall.connect("ws://a", MarketProxy, serves=Chat())  # type: ignore[call-overload]


async def intercept(call: CallContext, proceed: Proceed) -> Any:
    assert_type(call.is_served, bool)
    assert_type(call.kind, Literal["call", "stream", "subscription"])
    assert_type(call.trace, str | None)
    assert_type(call.arguments, Mapping[str, Any])
    assert_type(call.principal, farcall.Principal | None)

    call.arguments["symbol"] = "ACME"  # type: ignore[index]
    call.arguments = {}  # type: ignore[misc]
    await proceed(call)  # type: ignore[call-arg]
    return await proceed()


async def takes_too_little(call: CallContext) -> Any:
    return call.method


def waits_for_nothing(call: CallContext, proceed: Proceed) -> None:
    pass


class Counting:
    """An interceptor that is an object."""

    async def __call__(self, call: CallContext, proceed: Proceed) -> Any:
        return await proceed()


async def interceptors() -> None:
    farcall.connect("ws://a", interceptors=[intercept, Counting()])
    open_pair(Market(), interceptors=[intercept], client_interceptors=[Counting()])

    farcall.connect("ws://a", interceptors=intercept)  # type: ignore[call-overload]
    farcall.connect("ws://a", interceptors=[takes_too_little])  # type: ignore[list-item]
    farcall.connect("ws://a", interceptors=[Counting])  # type: ignore[list-item]
    farcall.connect("ws://a", interceptors=[waits_for_nothing])  # type: ignore[list-item]
