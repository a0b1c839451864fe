"""`App`: services and their options without a place, and what lives as long as their server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

import farcall
from farcall import App, Principal, current_call, method, service
from farcall.testing import open_pair


@attrs.define(eq=False)
class Database:
    """Notes what happens to it."""

    log: list[str] = attrs.field(factory=list[str])
    rows: dict[str, int] = attrs.field(factory=dict[str, int])


class Pool:
    """Another class."""


@service(name="")
class Stock:
    async def count(self, sku: str) -> int:
        return current_call().lifespan(Database).rows[sku]

    @method(protected=True)
    async def reset(self) -> str:
        principal = current_call().principal
        assert principal is not None
        return principal.name

    async def pool(self) -> None:
        current_call().lifespan(Pool)

    async def why_not(self) -> str:
        with pytest.raises(TypeError) as caught:
            current_call().lifespan(Pool)
        return str(caught.value)

    async def hang(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            current_call().lifespan(Database).log.append("the handler has ended")


def lifespan_of(database: Database) -> farcall.Lifespan:
    @asynccontextmanager
    async def lifespan() -> AsyncIterator[Database]:
        database.log.append("entered")
        try:
            yield database
        except BaseException as exc:
            database.log.append(type(exc).__name__)
            raise
        finally:
            database.log.append("left")

    return lifespan


async def everyone_is_ada(credentials: farcall.Credentials) -> Principal:
    return Principal("ada")


async def test_an_app_is_served_with_its_options() -> None:
    """`open_server` serves the services of an app, with its options and those of the call."""
    app = App(Stock(), authenticate=everyone_is_ada)
    async with (
        farcall.open_server(app, 0, host="127.0.0.1", max_call_seconds=5) as server,
        farcall.connect(server.url) as session,
    ):
        assert await session.call("reset") == "ada"


async def test_serve_takes_an_app() -> None:
    """`serve` serves an app as `open_server` does."""
    app = App({"/stock": Stock()}, authenticate=everyone_is_ada)
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, app, 0)
        async with farcall.connect(f"{server.url}/stock") as session:
            assert await session.call("reset") == "ada"
        server.shutdown()


async def test_an_app_is_served_in_memory(autojump_clock: MockClock) -> None:
    """`open_pair` serves an app, and leaves out what concerns sockets."""
    app = App(
        Stock(),
        max_call_seconds=3,
        lifespan=lifespan_of(Database()),
        allowed_origins=["https://example.com"],
        drain_seconds=1,
    )
    async with open_pair(app) as (session, _):
        with pytest.raises(farcall.DeadlineExceeded):
            await session.call("hang")
        assert trio.current_time() == pytest.approx(3, abs=0.1)


async def test_a_test_evolves_an_app(autojump_clock: MockClock) -> None:
    """`attrs.evolve` replaces the login and the lifespan of an app for a test."""
    database = Database(rows={"A-1": 3})
    app = App(Stock(), max_call_seconds=5)
    tested = attrs.evolve(app, authenticate=everyone_is_ada, lifespan=lifespan_of(database))

    async with open_pair(tested) as (session, _):
        assert await session.call("reset") == "ada"
        assert await session.call("count", "A-1") == 3
    assert (app.authenticate, app.lifespan) == (None, None)


def test_an_app_shows_the_options_that_it_sets() -> None:
    """The text of an app has no defaults, of which `Limits` alone has dozens."""
    stock = Stock()

    assert repr(App(stock, max_call_seconds=5)) == f"App({stock!r}, max_call_seconds=5)"


async def test_an_option_given_twice_is_refused() -> None:
    """An option of the app that is given to a function as well raises, and both are named."""
    app = App(Stock(), max_call_seconds=5, allowed_origins=["https://example.com"])

    with pytest.raises(
        TypeError, match=r"^max_call_seconds= is .*, to App\(\) and to open_pair\(\)"
    ):
        open_pair(app, max_call_seconds=5)
    with pytest.raises(
        TypeError, match=r"^allowed_origins= is .* to open_server\(\): leave one out"
    ):
        farcall.open_server(app, 0, allowed_origins=["https://example.com"])
    with pytest.raises(
        TypeError, match=r"^max_call.* serve\(\).*write attrs.evolve\(app, max_call_"
    ):
        await farcall.serve(app, 0, max_call_seconds=3)


async def test_an_app_in_a_list_is_refused() -> None:
    """An app in a list or a dict raises an error that says how to serve several services."""
    for services in ([App(Stock())], {"/": App(Stock())}, {"/": [App(Stock())]}):
        with pytest.raises(TypeError, match="an App is served alone"):
            open_pair(services)


async def test_an_option_beside_those_of_the_app_is_taken() -> None:
    """An option that the app leaves at its default may be given to the function."""
    async with open_pair(App(Stock()), authenticate=everyone_is_ada) as (session, _):
        assert await session.call("reset") == "ada"


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"services": Stock}, farcall.DeclarationError, r"an instance: Stock\(\)"),
        ({"services": [Stock(), Stock()]}, farcall.DeclarationError, "already offers count"),
        ({"services": []}, ValueError, "nothing to serve"),
        (
            {"services": App(Stock())},
            TypeError,
            r"served alone; write App\(\[Shop\(\), News\(\)\]\)",
        ),
        ({"services": [App(Stock())]}, TypeError, "served alone"),
        ({"services": Stock(), "allowed_origins": ["example.com"]}, ValueError, "not an origin"),
        ({"services": Stock(), "port": 8765}, TypeError, "unexpected keyword argument 'port'"),
    ],
)
def test_a_wrong_app_raises_where_it_is_made(
    wrong: dict[str, Any], error: type[Exception], says: str
) -> None:
    """An app checks its services and options at once."""
    with pytest.raises(error, match=says):
        App(**wrong)


async def test_the_lifespan_is_around_the_links(autojump_clock: MockClock) -> None:
    """The lifespan is entered before the first call, and left after the last handler."""
    database = Database(rows={"A-1": 3})
    app = App(Stock(), lifespan=lifespan_of(database))

    async with open_pair(app) as (session, _), trio.open_nursery() as nursery:
        assert database.log == ["entered"]
        assert await session.call("count", "A-1") == 3
        nursery.start_soon(session.call, "hang")
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert database.log == ["entered", "the handler has ended", "left"]


async def test_the_lifespan_is_entered_once_for_each_server() -> None:
    """All links of a server share what the lifespan yielded; it is left before the block ends."""
    database = Database(rows={"A-1": 3})
    async with farcall.open_server(Stock(), 0, lifespan=lifespan_of(database)) as server:
        for _ in range(2):
            async with farcall.connect(server.url) as session:
                assert await session.call("count", "A-1") == 3

    assert database.log == ["entered", "left"]


async def test_a_server_listens_only_after_the_lifespan_is_entered() -> None:
    """A lifespan that fails raises its error, and the port is never opened."""
    database = Database()

    @asynccontextmanager
    async def failing() -> AsyncIterator[Database]:
        await trio.lowlevel.checkpoint()
        if database.log == []:
            raise ZeroDivisionError("no database")
        yield database

    with pytest.raises(ZeroDivisionError, match="no database"):
        async with farcall.open_server(Stock(), 0, lifespan=failing):
            pytest.fail("the block has run")


async def test_the_lifespan_is_told_how_the_block_ended() -> None:
    """A block that raises cancels what the lifespan is around."""
    database = Database()

    async def fail() -> None:
        async with farcall.open_server(Stock(), 0, lifespan=lifespan_of(database)):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await fail()
    assert database.log == ["entered", "Cancelled", "left"]


async def test_a_failed_task_of_the_lifespan_cancels_the_block() -> None:
    """The group of a nursery that the lifespan opens leaves the block, which it cancels."""
    may_fail = trio.Event()

    async def fail() -> None:
        await may_fail.wait()
        raise ZeroDivisionError("a task of the lifespan")

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[trio.Nursery]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            yield nursery

    async def serve() -> None:
        async with farcall.open_server(Stock(), 0, lifespan=lifespan):
            may_fail.set()
            await trio.sleep_forever()

    with pytest.RaisesGroup(pytest.RaisesExc(ZeroDivisionError, match="a task of the lifespan")):
        await serve()


async def test_a_closed_server_has_left_its_lifespan() -> None:
    """`Server.wait_closed` waits for the end of the lifespan as well."""
    may_end = trio.Event()

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        yield
        await may_end.wait()

    async with farcall.open_server(Stock(), 0, lifespan=lifespan) as server:
        server.shutdown()
        with trio.move_on_after(0.05) as waiting:
            await server.wait_closed()
        assert waiting.cancelled_caught
        may_end.set()
        await server.wait_closed()


async def test_the_wrong_class_is_named_with_the_right_one() -> None:
    """`lifespan` checks the class of what was yielded, and its error names both."""
    async with open_pair(App(Stock(), lifespan=lifespan_of(Database()))) as (session, _):
        said = await session.call("why_not")
        with pytest.raises(farcall.InternalError):
            await session.call("pool")

    assert said == "lifespan() expected Pool, but the server's lifespan= yielded Database"


async def test_classes_of_one_name_are_told_apart() -> None:
    """Classes of the same name are named with their modules."""

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[object]:
        yield type("Pool", (), {"__module__": "other"})()

    async with open_pair(App(Stock(), lifespan=lifespan)) as (session, _):
        said = await session.call("why_not")

    assert f"expected {__name__}.Pool, but" in said
    assert said.endswith("yielded other.Pool")


async def test_without_a_lifespan_it_says_what_to_write() -> None:
    """`lifespan` of a server that has none raises TypeError, which says where to give one."""
    async with open_pair(Stock()) as (session, _):
        said = await session.call("why_not")

    assert said.startswith(
        "lifespan(Pool) needs lifespan= of the server, which has none; write App("
    )


async def test_a_lifespan_that_returns_no_manager_is_refused() -> None:
    """A function that returns something else raises when the server begins."""
    wrong: Any = lambda: 5  # noqa: E731

    with pytest.raises(TypeError, match=r"lifespan= takes a function .*, but it returned an int"):
        async with open_pair(Stock(), lifespan=wrong):
            pytest.fail("the block has run")


async def test_interceptors_read_the_lifespan() -> None:
    """An interceptor reads it from its call."""
    database = Database(rows={"A-1": 3})
    seen: list[Database] = []

    async def note(call: farcall.CallContext, proceed: farcall.Proceed) -> Any:
        seen.append(call.lifespan(Database))
        return await proceed()

    app = App(Stock(), lifespan=lifespan_of(database), interceptors=[note])
    async with open_pair(app) as (session, _):
        await session.call("count", "A-1")

    assert seen == [database]
