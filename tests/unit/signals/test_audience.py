"""Values for an audience of users and rooms."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import Credentials, Principal, Signal, current_call, room, service, user
from farcall._signals.audience import Membership, read_audience
from farcall.testing import open_pair
from tests.ends import KINDS, Kind, RawClient, open_client, raw_client


@service(name="")
class Chat:
    said: Signal[str] = Signal()
    kept: Signal[str] = Signal(retain=True)
    closing: Signal[str] = Signal(broadcast=True)

    async def enter(self, name: str) -> None:
        current_call().connection.join(name)

    async def exit(self, name: str) -> None:
        current_call().connection.leave(name)

    async def forget(self) -> None:
        current_call().connection.logout()


async def authenticate(credentials: Credentials) -> Principal | None:
    return None if credentials.login is None else Principal(credentials.login[0])


async def authenticate_for_a_minute(credentials: Credentials) -> Principal | None:
    return None if credentials.login is None else Principal(credentials.login[0], expires_after=60)


def test_users_and_rooms_never_meet() -> None:
    """A user and a room of the same name are two addresses."""
    assert user("ada") == user("ada")
    assert len({user("ada"), room("ada"), user("bob")}) == 3
    membership = Membership()
    membership.add(room("ada"))
    assert membership.is_in({room("ada"), user("bob")})
    assert not membership.is_in({user("ada")})
    membership.discard(room("ada"))
    membership.discard(room("ada"))
    assert not membership.is_in({room("ada")})


@pytest.mark.parametrize("name", [7, None, user("ada")])
def test_names_are_text(name: Any) -> None:
    """The name of a user or a room must be a str: a number is not converted."""
    for make in (user, room):
        with pytest.raises(TypeError, match="name"):
            make(name)


@pytest.mark.parametrize("to", ["ada", {"ada"}, user("ada"), [user("ada")], {user("ada"), 7}])
async def test_an_audience_is_a_set_of_users_and_rooms(to: Any) -> None:
    """A bare str is refused: it could mean a user or a room."""
    with pytest.raises(TypeError, match=r"farcall\.user"):
        read_audience(to)
    with pytest.raises(TypeError, match=r"farcall\.user"):
        Chat().said.emit("hello", to=to)


async def test_a_broadcast_is_for_everybody() -> None:
    """Emitting a broadcast to an audience is an error."""
    chat = Chat()
    chat.closing.emit("at six")
    with pytest.raises(TypeError, match=r"Chat\.closing is a broadcast"):
        chat.closing.emit("at six", to={user("ada")})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_a_value_for_a_user(kind: Kind, dialect: Any) -> None:
    """A value for a user reaches connections logged in as that user, and no room of that name."""
    chat = Chat()
    options: dict[str, Any] = {"authenticate": authenticate, "dialect": dialect}
    async with open_client(kind, chat, **options) as session:
        async with session.subscribe("said") as said:
            await session.call("enter", "ada")
            chat.said.emit("to ada, who is not there", to={user("ada")})
            chat.said.emit("to nobody", to=set())
            await session.call("rpc.login", "ada")
            chat.said.emit("to ada", to={user("ada"), room("elsewhere")})
            assert await anext(said) == "to ada"

            await session.call("rpc.login", "bob")
            chat.said.emit("to ada, who has left", to={user("ada")})
            chat.said.emit("to all")
            assert await anext(said) == "to all"


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_a_value_for_a_room(dialect: Any) -> None:
    """A value for a room reaches each member once, until it leaves."""
    chat = Chat()
    async with open_pair(chat, dialect=dialect) as (session, connection):
        async with session.subscribe("said") as said:
            chat.said.emit("early", to={room("7")})
            await session.call("enter", "7")
            connection.join("8")
            chat.said.emit("in time", to={room("7"), room("8")})
            assert await anext(said) == "in time"

            await session.call("exit", "7")
            chat.said.emit("late", to={room("7")})
            chat.said.emit("to all")
            assert await anext(said) == "to all"


async def test_a_principal_that_is_dropped_is_not_reached() -> None:
    """After a logout a connection stays in its rooms, but is no longer reached as the user."""
    chat = Chat()
    async with open_pair(chat, authenticate=authenticate) as (session, connection):
        await session.call("rpc.login", "ada")
        connection.join("7")
        async with session.subscribe("said") as said:
            connection.logout()
            chat.said.emit("to ada", to={user("ada")})
            chat.said.emit("to 7", to={room("7")})
            assert await anext(said) == "to 7"


async def test_what_is_for_some_is_not_retained() -> None:
    """A new subscriber gets the last value that was emitted without an audience."""
    chat = Chat()
    chat.kept.emit("for all")
    chat.kept.emit("for ada", to={user("ada")})
    async with open_pair(chat, authenticate=authenticate) as (session, _):
        await session.call("rpc.login", "ada")
        async with session.subscribe("kept") as kept:
            assert await anext(kept) == "for all"
            await wait_all_tasks_blocked()
            chat.kept.emit("end")
            assert await anext(kept) == "end"


async def test_subscribers_in_the_process_hear_everything() -> None:
    """A subscriber in the process gets values for any audience."""
    chat = Chat()
    async with chat.said.subscribe() as said:
        chat.said.emit("to ada", to={user("ada")})
        assert await anext(said) == "to ada"


async def test_a_room_has_a_name() -> None:
    """Joining a room by a name that is not a str is an error."""
    async with open_pair(Chat()) as (_, connection):
        with pytest.raises(TypeError, match="name"):
            connection.join(7)  # type: ignore[arg-type]
    assert farcall.Room("7") == room("7")


def request(id: int, method: str, params: Any, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params, **more}


async def listen(client: RawClient, chat: Chat) -> None:
    """Become ada, who is in a room, with three values on their way that wait for credit."""
    subscribe = request(3, "rpc.subscribe", {"signal": "said"}, meta={"credit": [1, 100]})
    hello = request(0, "rpc.hello", {"v": 1})
    for each in (hello, request(1, "rpc.login", ["ada"]), request(2, "enter", ["hall"]), subscribe):
        await client.ask(each)
    chat.said.emit("first")
    await wait_all_tasks_blocked()
    chat.said.emit("for ada", to={user("ada")})
    chat.said.emit("for the hall", to={room("hall")})
    chat.said.emit("for all")
    client.heard()


async def hear(client: RawClient) -> tuple[list[str], Any]:
    """Give credit, and tell the values that come and what is said to be missing."""
    credit = {"id": 3, "items": 9, "bytes": 1000}
    (items,) = await client.ask({"jsonrpc": "2.0", "method": "rpc.credit", "params": credit})
    return items["params"]["values"], items["params"].get("missed")


@pytest.mark.parametrize(
    ("change", "heard"),
    [
        (request(4, "rpc.login", ["bob"]), ["for the hall", "for all"]),
        (request(4, "rpc.login", ["ada"]), ["for ada", "for the hall", "for all"]),
        (request(4, "forget", []), ["for the hall", "for all"]),
        (request(4, "exit", ["hall"]), ["for ada", "for all"]),
        (request(4, "exit", ["attic"]), ["for ada", "for the hall", "for all"]),
    ],
)
async def test_what_waits_for_somebody_else_is_dropped(change: Any, heard: list[str]) -> None:
    """After a login as another user, waiting values for the previous one are dropped, uncounted."""
    chat = Chat()
    async with raw_client(chat, authenticate=authenticate) as client:
        await listen(client, chat)
        await client.ask(change)

        assert await hear(client) == (heard, None)


async def test_what_waits_for_a_principal_that_expires_is_dropped(
    autojump_clock: MockClock,
) -> None:
    """When a login expires, values that wait for its user are dropped."""
    chat = Chat()
    async with raw_client(chat, authenticate=authenticate_for_a_minute) as client:
        await listen(client, chat)
        await trio.sleep(61)
        client.heard()

        assert await hear(client) == (["for the hall", "for all"], None)


async def test_events_that_wait_for_somebody_else_are_dropped(autojump_clock: MockClock) -> None:
    """Events that wait for the previous user of a plain peer are dropped as well."""
    chat = Chat()
    async with raw_client(chat, authenticate=authenticate) as client:
        for each in (request(1, "rpc.login", ["ada"]), request(2, "rpc.on", ["said"])):
            await client.ask(each)
        client.stop_reading()
        chat.said.emit("x" * 100_000)  # fills the link
        await wait_all_tasks_blocked()
        chat.said.emit("being sent")
        await wait_all_tasks_blocked()
        chat.said.emit("for ada", to={user("ada")})
        chat.said.emit("for all")
        await client.ask(request(3, "rpc.login", ["bob"]))
        client.heard()

        client.go_on_reading()
        await trio.sleep(1)
        events = [frame["params"] for frame in client.heard() if "method" in frame]
        assert events[1:] == [["being sent"], ["for all"]]
