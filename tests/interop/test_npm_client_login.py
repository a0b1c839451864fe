"""The npm client against a farcall server: logins and protected members."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio

import farcall
from farcall import Credentials, Principal, Signal, current_call, method, service
from tests.interop.peers import VERSIONS, Peer, run_peer

pytestmark = [pytest.mark.requires("node"), pytest.mark.parametrize("version", VERSIONS)]

ADA = {"name": "ada", "password": "enigma"}
BOB = ["bob", "enigma"]
WRONG = {"name": "ada", "password": "guess"}
LOGIN_FAILED = {"error": {"message": "authentication failed"}}
"""The error that the package makes of a login that is answered false."""

FORBIDDEN = {"error": {"code": -32605, "message": "Method forbidden"}}
EVENT_FORBIDDEN = {"error": {"code": -32606, "message": "Event forbidden"}}


async def authenticate(credentials: Credentials) -> Principal | None:
    """Authenticate ada, a trader, by name, and bob by position."""
    match credentials.login:
        case {"name": "ada", "password": "enigma"}:
            return Principal("ada", {"trader"})
        case ["bob", "enigma"]:
            return Principal("bob")
        case _:
            return None


@service(name="")
class Vault:
    opened: Signal[str] = Signal()
    counted: Signal[int] = Signal(protected=True)
    traded: Signal[int] = Signal(roles={"trader"})

    def hours(self) -> str:
        return "from nine to five"

    @method(protected=True)
    async def whoami(self) -> str:
        principal = current_call().principal
        assert principal is not None
        return principal.name

    @method(roles={"trader"})
    async def trade(self, count: int) -> int:
        return count

    def leave(self) -> None:
        current_call().connection.logout()

    def tell(self, number: int) -> None:
        """Emit all signals, the open one last."""
        self.counted.emit(number)
        self.traded.emit(number)
        self.opened.emit(f"at {number}")


async def start(nursery: trio.Nursery, port: int = 0) -> farcall.Server:
    serve = partial(farcall.serve, Vault(), port, authenticate=authenticate)
    server: farcall.Server = await nursery.start(serve)
    return server


@asynccontextmanager
async def open_peer(version: str) -> AsyncIterator[Peer]:
    async with trio.open_nursery() as nursery:
        server = await start(nursery)
        async with run_peer("client.cjs", version, server.url) as peer:
            assert await peer.hear() == {"open": True}
            yield peer
        nursery.cancel_scope.cancel()


async def hear_told(peer: Peer, number: int) -> list[Any]:
    """Emit all signals, and return the events that arrive, the open one last."""
    await peer.tell({"call": ["tell", [number]]})
    heard: list[Any] = []
    while {"result": None} not in heard or {
        "event": "opened",
        "args": [f"at {number}"],
    } not in heard:
        heard.append(await peer.hear())
    return [(line["event"], *line["args"]) for line in heard if "event" in line]


@pytest.mark.parametrize("login", [ADA, BOB])
async def test_a_login_opens_what_is_protected(version: str, login: Any) -> None:
    """A protected method is forbidden before the login and served after it."""
    async with open_peer(version) as peer:
        assert await peer.ask({"call": ["hours"]}) == {"result": "from nine to five"}
        assert await peer.ask({"call": ["whoami"]}) == FORBIDDEN

        assert await peer.ask({"login": login}) == {"result": True}

        name = "ada" if login is ADA else "bob"
        assert await peer.ask({"call": ["whoami"]}) == {"result": name}


async def test_a_wrong_login_opens_nothing(version: str) -> None:
    """After a wrong login the right one still works."""
    async with open_peer(version) as peer:
        assert await peer.ask({"login": WRONG}) == LOGIN_FAILED
        answer = await peer.ask({"login": "just text"})
        assert answer["error"]["code"] == -32600
        assert await peer.ask({"call": ["whoami"]}) == FORBIDDEN
        assert await peer.ask({"login": ADA}) == {"result": True}
        assert await peer.ask({"call": ["whoami"]}) == {"result": "ada"}


async def test_too_many_wrong_logins_end_the_connection(version: str) -> None:
    """The sixth wrong login closes the connection."""
    async with open_peer(version) as peer:
        for _ in range(5):
            assert await peer.ask({"login": WRONG}) == LOGIN_FAILED
        await peer.tell({"login": WRONG})

        assert await peer.hear() == {"closed": 1008}


async def test_a_role_is_needed_beside_the_login(version: str) -> None:
    """A method or an event with a role needs a user with that role."""
    async with open_peer(version) as peer:
        assert await peer.ask({"login": BOB}) == {"result": True}
        assert await peer.ask({"call": ["trade", [3]]}) == FORBIDDEN
        assert await peer.ask({"subscribe": "traded"}) == EVENT_FORBIDDEN

        assert await peer.ask({"login": ADA}) == {"result": True}
        assert await peer.ask({"call": ["trade", [3]]}) == {"result": 3}
        assert await peer.ask({"subscribe": "traded"}) == {"result": {"traded": "ok"}}


async def test_protected_events_come_after_a_login_alone(version: str) -> None:
    """A protected event is sent only after the login."""
    async with open_peer(version) as peer:
        assert await peer.ask({"subscribe": "counted"}) == EVENT_FORBIDDEN
        assert await peer.ask({"subscribe": "opened"}) == {"result": {"opened": "ok"}}
        assert await hear_told(peer, 1) == [("opened", "at 1")]

        assert await peer.ask({"login": ADA}) == {"result": True}
        assert await peer.ask({"subscribe": "counted"}) == {"result": {"counted": "ok"}}
        assert ("counted", 2) in await hear_told(peer, 2)


async def test_a_logout_ends_protected_events(version: str) -> None:
    """A logout ends protected events, and open ones go on."""
    async with open_peer(version) as peer:
        assert await peer.ask({"login": ADA}) == {"result": True}
        both = {"counted": "ok", "opened": "ok"}
        assert await peer.ask({"subscribe": ["counted", "opened"]}) == {"result": both}
        assert ("counted", 1) in await hear_told(peer, 1)

        assert await peer.ask({"call": ["leave"]}) == {"result": None}
        assert await peer.ask({"call": ["whoami"]}) == FORBIDDEN
        assert await hear_told(peer, 2) == [("opened", "at 2")]


async def test_several_events_in_one_subscription(version: str) -> None:
    """One subscription to several events is answered for each, or refused if one is forbidden."""
    async with open_peer(version) as peer:
        answer = await peer.ask({"subscribe": ["opened", "never"]})
        assert answer == {"result": {"opened": "ok", "never": "provided event invalid"}}
        answer = await peer.ask({"unsubscribe": ["opened", "counted"]})
        assert answer == {"result": {"opened": "ok", "counted": "not subscribed"}}
        assert await peer.ask({"subscribe": ["opened", "counted"]}) == EVENT_FORBIDDEN


async def test_what_is_protected_is_listed(version: str) -> None:
    """`__listMethods` lists protected methods and `rpc.login`."""
    async with open_peer(version) as peer:
        answer = await peer.ask({"call": ["__listMethods"]})

    assert {"hours", "whoami", "trade", "rpc.login", "__listMethods"} <= set(answer["result"])


async def test_nothing_of_a_login_outlives_its_connection(version: str) -> None:
    """After a reconnect the client has neither its login nor its events."""
    options = '{"reconnect": true, "reconnect_interval": 20, "max_reconnects": 0}'
    async with trio.open_nursery() as nursery:
        first = await start(nursery)
        async with run_peer("client.cjs", version, first.url, options) as peer:
            assert await peer.hear() == {"open": True}
            assert await peer.ask({"login": ADA}) == {"result": True}
            assert await peer.ask({"subscribe": "counted"}) == {"result": {"counted": "ok"}}
            first.shutdown()
            await first.wait_closed()
            await start(nursery, first.port)
            while await peer.hear() != {"open": True}:
                pass

            assert await peer.ask({"call": ["whoami"]}) == FORBIDDEN
            assert await peer.ask({"subscribe": "opened"}) == {"result": {"opened": "ok"}}
            assert await hear_told(peer, 1) == [("opened", "at 1")]
            assert await peer.ask({"login": ADA}) == {"result": True}
            assert await peer.ask({"call": ["whoami"]}) == {"result": "ada"}
        nursery.cancel_scope.cancel()
