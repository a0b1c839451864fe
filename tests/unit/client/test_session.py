"""Sessions and proxies: calls as a client makes them, and how they end."""

from __future__ import annotations

import logging
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

import farcall
from farcall import Proxy, RemoteSignal, Signal, endpoint, method, service
from farcall.testing import open_pair
from tests.ends import KINDS, Kind, open_client, wait_until


@attrs.frozen
class Point:
    x: int
    y: int = 0


@service(name="Plane")
class Plane:
    moved: Signal[Point] = Signal()

    def __init__(self) -> None:
        self.release = trio.Event()
        self.noted = 0

    async def shift(self, point: Point, /, *, by: int = 1) -> Point:
        return Point(point.x + by, point.y)

    async def wait(self) -> str:
        await self.release.wait()
        return "released"

    @method(oneway=True)
    async def note(self) -> None:
        self.noted += 1

    def inline(self) -> int:
        return 1


class PlaneProxy(Proxy, service="Plane", contract="?"):
    """A stub as the generator writes it."""

    moved: RemoteSignal[Point] = RemoteSignal("Plane.moved")

    @endpoint("Plane.shift")
    async def shift(self, point: Point, /, *, by: int = 1) -> Point:
        """Shift a point."""
        raise NotImplementedError

    @endpoint("Plane.wait")
    async def wait(self) -> str:
        raise NotImplementedError

    @endpoint("Plane.note", oneway=True)
    async def note(self) -> None:
        raise NotImplementedError

    @endpoint("Plane.inline")
    async def inline(self) -> int:
        raise NotImplementedError

    @endpoint("Plane.shift")
    async def shift_to_text(self, point: Point) -> str:
        raise NotImplementedError


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stub_calls_and_subscribes(kind: Kind) -> None:
    """Results and values have the types of the stub's annotations."""
    plane = Plane()
    async with open_client(kind, plane, PlaneProxy) as proxy:
        assert await proxy.shift(Point(1), by=2) == Point(3)
        assert await proxy.inline() == 1
        await proxy.note()
        async with proxy.moved.subscribe() as points:
            plane.moved.emit(Point(5))
            assert await anext(points) == Point(5)

    assert plane.noted == 1


async def test_a_wrong_argument_is_refused_before_it_is_sent() -> None:
    """A wrong call raises TypeError for the signature, EncodeError for a type."""
    async with open_pair(Plane(), PlaneProxy) as (proxy, connection):
        before = connection.statistics().frames_in
        with pytest.raises(TypeError, match=r"Plane\.shift: missing argument 'point'"):
            await proxy.shift()  # type: ignore[call-arg]
        with pytest.raises(farcall.EncodeError, match=r"Plane\.shift: expected Point"):
            await proxy.shift(7)  # type: ignore[arg-type]

        assert connection.statistics().frames_in == before


async def test_a_result_of_another_type_is_invalid() -> None:
    """A stub of another server raises InvalidResult for a result of a wrong type."""
    async with open_pair(Plane(), PlaneProxy) as (proxy, _):
        with pytest.raises(farcall.InvalidResult, match=r"Plane\.shift: expected str @ result"):
            await proxy.shift_to_text(Point(1))


async def test_another_contract_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """One warning names the service with another contract; calls are made nevertheless."""
    async with open_pair(Plane(), PlaneProxy) as (proxy, _):
        assert await proxy.inline() == 1

    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "Plane" in warnings[0].getMessage()


async def test_another_contract_is_an_error_where_that_is_asked_for() -> None:
    """`contract="strict"` raises ContractMismatch before any call."""
    with pytest.raises(farcall.ContractMismatch, match="Plane"):
        async with open_pair(Plane(), PlaneProxy, contract="strict"):
            pass


async def test_the_right_contract_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """A proxy typed by the served class logs no warning."""
    async with open_pair(Other(), Other, contract="strict") as (proxy, _):
        assert await proxy.ask() == 42

    assert not caplog.records


async def test_services_may_share_a_name(caplog: pytest.LogCaptureFixture) -> None:
    """Services without a name in front of their members each have a contract."""
    for proxy in (Left, Right):
        async with open_pair([Left(), Right()], proxy, serves=[Left()], contract="strict"):
            pass
    assert not caplog.records


@service(name="")
class Left:
    async def left(self) -> int:
        return 1


@service(name="")
class Right:
    async def right(self) -> int:
        return 2


@pytest.mark.parametrize("option", [{"dialect": "foo"}, {"contract": "foo"}])
def test_an_option_that_is_no_word_is_refused(option: Any) -> None:
    """An unknown word for an option raises ValueError."""
    with pytest.raises(ValueError, match=r"= takes '.*' or '.*', not 'foo'"):
        farcall.connect("ws://127.0.0.1:1", **option)


async def test_an_error_of_the_peer_names_the_call() -> None:
    """MethodNotFound and InvalidArguments name the method."""
    async with open_pair(Plane()) as (session, _):
        with pytest.raises(farcall.MethodNotFound, match=r"^Plane\.nope: Method not found"):
            await session.call("Plane.nope")
        with pytest.raises(farcall.InvalidArguments, match=r"^Plane\.shift: Invalid params"):
            await session.call("Plane.shift", 1)
        with pytest.raises(farcall.MethodNotFound, match=r"^Plane\.nope: Method not found"):
            async with session.subscribe("Plane.nope"):
                pass
        with pytest.raises(farcall.MethodNotFound, match=r"^Plane\.nope: Method not found"):
            async with session.stream("Plane.nope"):
                pass


@service
class Other:
    async def ask(self) -> int:
        return 42

    @farcall.local
    def answer(self) -> int:
        return 42


async def test_a_proxy_typed_by_the_class_has_its_endpoints_only() -> None:
    """A proxy has no attribute for a method that stays on the server."""
    async with open_pair(Other(), Other) as (proxy, _):
        with pytest.raises(AttributeError, match=r"Other\.answer is not an endpoint"):
            proxy.answer()


async def test_a_class_with_a_plain_def_is_no_type_for_a_proxy() -> None:
    """A class with a plain def endpoint raises NotSupported as a proxy."""
    with pytest.raises(farcall.NotSupported, match=r"Plane\.inline is a plain def"):
        async with open_pair(Plane(), Plane):
            pass


async def test_arguments_go_by_position_or_by_name() -> None:
    """A call takes arguments by position or by name, not both."""
    async with open_pair(Plane()) as (session, _):
        assert await session.call("Plane.shift", point={"x": 1}, by=3, returns=Point) == Point(4)
        named = {"point": {"x": 1}, "by": 3}
        assert await session.call("Plane.shift", arguments=named) == {"x": 4, "y": 0}
        with pytest.raises(TypeError, match="by position or by name"):
            await session.call("Plane.shift", {"x": 1}, by=3)


async def test_a_result_may_be_read_as_a_type() -> None:
    """The result is checked against the type `returns`."""
    async with open_pair(Plane()) as (session, _):
        with pytest.raises(farcall.InvalidResult, match="expected str @ result"):
            await session.call("Plane.inline", returns=str)


async def test_an_abandoned_call_ends_with_its_response() -> None:
    """At a plain peer an abandoned id is in flight until its response."""
    plane = Plane()
    async with open_pair(plane, dialect="plain") as (session, _):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.call, "Plane.wait")
                await wait_until(lambda: session.statistics().calls_out == 1)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        assert session.statistics().calls_out == 1

        plane.release.set()
        assert await session.call("Plane.inline") == 1
        assert session.statistics().calls_out == 0
        assert session.statistics().strays == 0


async def test_a_call_made_in_a_cancelled_scope_is_not_sent() -> None:
    """A call in a cancelled scope sends nothing."""
    async with open_pair(Plane()) as (session, connection):
        before = connection.statistics().frames_in
        with trio.CancelScope() as scope:
            scope.cancel()
            await session.call("Plane.inline")

        assert scope.cancelled_caught
        assert session.statistics().calls_out == 0
        await trio.testing.wait_all_tasks_blocked()
        assert connection.statistics().frames_in == before


async def test_a_lost_link_ends_every_waiting_call() -> None:
    """`ConnectionLost.sent` says whether a call can be repeated safely."""
    async with open_pair(Plane()) as (session, connection):
        outcomes: list[bool] = []

        async def call() -> None:
            with pytest.raises(farcall.ConnectionLost) as caught:
                await session.call("Plane.wait")
            outcomes.append(caught.value.sent)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            nursery.start_soon(call)
            await trio.testing.wait_all_tasks_blocked()
            await connection.aclose(1001, "going")

        with pytest.raises(farcall.ConnectionLost, match=r"1001: going") as late:
            await session.call("Plane.inline")

        assert outcomes == [True, True]
        assert not late.value.sent
        assert session.state is farcall.SessionState.LOST
        assert session.connection is None


async def test_a_ping_measures_the_round_trip(autojump_clock: MockClock) -> None:
    """`ping` returns seconds, which are in the statistics as well."""
    async with open_pair(Plane()) as (session, _):
        assert session.statistics().round_trip is None

        assert await session.ping() >= 0

        assert session.statistics().round_trip is not None


async def test_a_ping_on_a_lost_link_fails() -> None:
    """A ping raises ConnectionLost if the link ends before the pong."""
    async with open_pair(Plane()) as (session, connection):
        await connection.aclose()
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(farcall.ConnectionLost):
            await session.ping()


async def test_the_bodys_error_comes_out_as_it_is() -> None:
    """An error of the block is not wrapped in a group; a group stays one."""
    with pytest.raises(KeyError):
        async with open_pair(Plane()):
            raise KeyError("mine")
    with pytest.RaisesGroup(KeyError):
        async with open_pair(Plane()):
            raise ExceptionGroup("mine", [KeyError("mine")])


async def test_the_state_of_a_session_can_be_seen() -> None:
    """A session is open within its block, and closed after it."""
    async with open_pair(Plane()) as (session, connection):
        inside: farcall.SessionState = session.state
        assert inside is farcall.SessionState.OPEN
        assert connection.state is farcall.ConnectionState.OPEN
        assert session.connection is not None
        assert session.connection.path == "/"

    left: farcall.SessionState = session.state
    assert left is farcall.SessionState.CLOSED


@pytest.mark.parametrize(
    ("returns", "problem"),
    [
        (complex, "returns=complex: complex cannot cross the wire; use an attrs class"),
        (trio.Event, "returns=trio.Event: Event: the name 'Task' in its annotations"),
        (list, r"returns=list: list .*; write list\[Any\]"),
    ],
)
async def test_a_type_that_cannot_come_back_is_refused(returns: Any, problem: str) -> None:
    """A type in `returns` that cannot cross the wire raises TypeError."""
    async with open_pair(Plane()) as (session, connection):
        before = connection.statistics().frames_in
        with pytest.raises(TypeError, match=problem):
            await session.call("Plane.wait", returns=returns)
        with pytest.raises(TypeError, match=problem):
            session.subscribe("Plane.moved", returns=returns)
        with pytest.raises(TypeError, match=problem):
            session.stream("Plane.all", returns=returns)

        assert connection.statistics().frames_in == before
