"""Options of functions that serve and connect: right uses, and wrong ones by an ignored error."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import assert_type

import attrs
import trio

import farcall
from examples.market.service import Market
from farcall import App, Heartbeat, Limits, Principal, Session
from farcall.testing import Pair, open_pair
from stubs.market import MarketProxy


class Database:
    pass


async def authenticate(credentials: farcall.Credentials) -> Principal | None:
    return Principal("ada") if credentials.login else None


async def serving(nursery: trio.Nursery) -> None:
    await farcall.serve(Market(), 0, host=["::1", "127.0.0.1"], limits=Limits(), debug=True)
    await farcall.serve({"/": Market()}, unix="/run/a.sock", authenticate=authenticate)
    await nursery.start(farcall.serve, Market(), 0)

    await farcall.serve(Market(), 0, debug=3)  # type: ignore[arg-type]
    await farcall.serve(Market(), 0, drain="3")  # type: ignore[call-arg]
    await farcall.serve(Market(), 0, authenticate=len)  # type: ignore[arg-type]


async def serving_a_block() -> None:
    async with farcall.open_server(Market(), 0, authenticate=authenticate) as server:
        assert_type(server, farcall.Server)

    farcall.open_server(Market(), "8765")  # type: ignore[arg-type]
    farcall.open_server(Market(), 0, drain="3")  # type: ignore[call-arg]


@asynccontextmanager
async def lifespan() -> AsyncGenerator[Database, None]:
    yield Database()


async def apps(call: farcall.CallContext) -> None:
    app = App(Market(), authenticate=authenticate, lifespan=lifespan, allowed_origins=["null"])
    assert_type(attrs.evolve(app, lifespan=None), App)
    await farcall.serve(app, 0, debug=True)
    farcall.open_server(app, 0)
    assert_type(open_pair(app, MarketProxy), AbstractAsyncContextManager[Pair[MarketProxy]])
    assert_type(call.lifespan(Database), Database)

    App(Market(), lifespan=lifespan())  # type: ignore[arg-type]
    App(Market(), host="::1")  # type: ignore[call-arg]
    attrs.evolve(app, port=3)  # type: ignore[call-arg]


def running() -> None:
    farcall.run(App(Market()), 8765, host=None)

    farcall.run(Market(), 8765, port=3)  # type: ignore[misc]
    farcall.run(Market(), "8765")  # type: ignore[arg-type]


async def connecting() -> None:
    session = farcall.connect("ws://a", heartbeat=Heartbeat(), login={"name": "ada"})
    assert_type(session, AbstractAsyncContextManager[Session])
    market = farcall.connect("ws://a", MarketProxy, dialect="plain", headers={"X-A": "b"})
    assert_type(market, AbstractAsyncContextManager[MarketProxy])

    farcall.connect("ws://a", dialect="binary")  # type: ignore[call-overload]
    farcall.connect("ws://a", limit=Limits())  # type: ignore[call-overload]
    farcall.connect("ws://a", MarketProxy, debug=True)  # type: ignore[call-overload]


async def pairing() -> None:
    async with open_pair(Market(), path="/a", authenticate=authenticate, debug=True) as pair:
        assert_type(pair, Pair[Session])
    async with open_pair(Market(), MarketProxy, client_interceptors=[]) as both:
        assert_type(both, Pair[MarketProxy])

    open_pair(Market(), host="::1")  # type: ignore[call-overload]
    open_pair(Market(), MarketProxy, path=3)  # type: ignore[call-overload]
