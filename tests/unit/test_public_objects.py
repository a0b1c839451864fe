"""Whatever farcall gives can be copied, compared, hashed and shown, and errors can be pickled."""

from __future__ import annotations

import copy
import functools
import pickle
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import attrs
import pytest
import trio

import farcall
from farcall import ApplicationError, CallContext, Proceed, Signal, service, stubgen, testing
from farcall.testing import memory_pair, open_pair

PLAIN: Final = {"OMIT", "Json", "Authenticate", "Interceptor", "CallKind", "Lifespan", "Proceed"}
"""Values and types; there is no object to be made of them."""

FUNCTIONS: Final = {
    "background",
    "connect",
    "current_call",
    "endpoint",
    "functions",
    "local",
    "method",
    "open_server",
    "room",
    "register_type",
    "run",
    "serve",
    "service",
    "stream",
    "stream_endpoint",
    "user",
}


@attrs.define
class SoldOut(ApplicationError):
    code: ClassVar[int] = -32050
    sku: str
    left: int = attrs.field(default=0, kw_only=True)
    hint: str = attrs.field(default="none", init=False, repr=False)


@attrs.frozen
class Frozen(ApplicationError):
    tags: list[str]


@attrs.define(slots=False)
class WithDict(ApplicationError):
    sku: str


@attrs.define
class WithMapping(ApplicationError):
    tags: dict[str, str]


class NoRecord(ApplicationError):
    """A class that is not declared anywhere, as an application may have for itself."""


ERRORS: Final[Mapping[str, Callable[[], Exception]]] = {
    "ApplicationError": lambda: ApplicationError("odd"),
    "Busy": lambda: farcall.Busy.after(1.5, "come back later"),
    "ConnectFailed": lambda: farcall.ConnectFailed("refused", status=401, code=1008),
    "ConnectionLost": lambda: farcall.ConnectionLost("cut", sent=True),
    "ContractMismatch": lambda: farcall.ContractMismatch("another"),
    "DeadlineExceeded": lambda: farcall.DeadlineExceeded(-32002, "late", {"by": "server"}),
    "DeclarationError": lambda: farcall.DeclarationError("FC101", "a.py:1", "S.f", "no", "yes"),
    "EncodeError": lambda: farcall.EncodeError("expected int"),
    "FarcallError": lambda: farcall.FarcallError("odd"),
    "Forbidden": lambda: farcall.Forbidden.because("not now"),
    "InternalError": lambda: farcall.InternalError(-32603, "Internal error", {"id": "0f6c"}),
    "InvalidArguments": lambda: farcall.InvalidArguments.at("params.a", "expected int"),
    "InvalidResult": lambda: farcall.InvalidResult("expected int"),
    "MethodNotFound": lambda: farcall.MethodNotFound(-32601, "Method not found"),
    "NotSupported": lambda: farcall.NotSupported("no key"),
    "RemoteCancelled": lambda: farcall.RemoteCancelled(-32800, "Cancelled"),
    "ReplyTooLarge": lambda: farcall.ReplyTooLarge(-32008, "large", {"limit": "message"}),
    "RpcError": lambda: farcall.RpcError(77, "own", {"x": [1]}),
    "ShuttingDown": lambda: farcall.ShuttingDown(-32001, "Shutting down"),
    "SignalGap": lambda: farcall.SignalGap(None),
    "SignalLagged": lambda: farcall.SignalLagged(3),
    "Unauthorized": lambda: farcall.Unauthorized("who"),
    "SoldOut": lambda: SoldOut("A-1", left=2),
    "Frozen": lambda: Frozen(["a"]),
    "WithDict": lambda: WithDict("A-1"),
    "WithMapping": lambda: WithMapping({"a": "b"}),
    "NoRecord": lambda: NoRecord("odd", 5),
    "StubError": lambda: stubgen.StubError("odd"),
    "CancelSweepError": lambda: testing.CancelSweepError("odd"),
}


@service
class Shop:
    sold: Signal[int] = Signal()

    async def price(self, sku: str) -> float:
        return 2.5


class ShopProxy(farcall.Proxy, service="Shop"):
    sold: farcall.RemoteSignal[int] = farcall.RemoteSignal("Shop.sold")

    @farcall.endpoint("Shop.price")
    async def price(self, sku: str) -> float:
        raise NotImplementedError


@service
@attrs.frozen
class Till:
    euros: int

    async def count(self) -> int:
        return self.euros


VALUES: Final[Mapping[str, object]] = {
    "App": farcall.App(Till(5), max_call_seconds=5),
    "ConnectionState": farcall.ConnectionState.OPEN,
    "Credentials": farcall.Credentials(headers={"a": "b"}, login={"token": [1]}),
    "Heartbeat": farcall.Heartbeat(5, 2),
    "Limits": farcall.Limits(calls=5),
    "Principal": farcall.Principal("ada", {"trader"}, 60, {"plan": ["free"]}),
    "Room": farcall.room("7"),
    "ServerStatistics": farcall.ServerStatistics(1, 2, 3, 4),
    "SessionState": farcall.SessionState.LOST,
    "User": farcall.user("ada"),
    "Via": farcall.Via(str, encode=str, decode=int),
}
"""What can be made without a connection, and holds nothing that lives."""

LIVE: Final = {
    "BoundRemoteSignal",
    "BoundSignal",
    "CallContext",
    "Connection",
    "Proxy",
    "RemoteSignal",
    "Server",
    "Session",
    "Signal",
    "Subscription",
}
"""What stands for something that lives: each is one of `live_objects`."""

COPIES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {number}": functools.partial(pickle.dumps, protocol=number) for number in range(6)},
}


def fields_of(record: Any) -> dict[str, Any]:
    return attrs.asdict(record)


def copied(how: str, thing: Any) -> Any:
    made = COPIES[how](thing)
    return pickle.loads(made) if how.startswith("pickle") else made


def test_every_public_name_is_looked_at() -> None:
    """Each public name is in one of the tables of this module."""
    known = {*PLAIN, *FUNCTIONS, *ERRORS, *VALUES, *LIVE, "ConnectionStatistics"}

    assert set(farcall.__all__) - known == set()


# Errors


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("name", ERRORS)
def test_an_error_survives(name: str, how: str) -> None:
    """A copied or pickled error keeps its class, text, attributes, fields and notes."""
    error = ERRORS[name]()
    error.add_note("look here")

    twin = copied(how, error)

    assert type(twin) is type(error)
    assert (str(twin), repr(twin), twin.args) == (str(error), repr(error), error.args)
    assert vars(twin) == vars(error)
    assert twin.__notes__ == ["look here"]
    if attrs.has(type(error)):
        assert fields_of(twin) == fields_of(error)
    assert getattr(twin, "may_have_run", None) is getattr(error, "may_have_run", None)


@pytest.mark.parametrize("how", COPIES)
def test_an_error_of_a_peer_survives(how: str) -> None:
    """A copied error of a peer keeps the peer's text and the name of the call."""

    async def main() -> list[Exception]:
        @service
        class Failing:
            @farcall.method(raises=[SoldOut])
            async def sell(self) -> None:
                raise SoldOut("A-1", left=2)

        found: list[Exception] = []
        async with open_pair(Failing(), Failing) as (failing, connection):
            with pytest.raises(SoldOut) as declared:
                await failing.sell()
            found.append(declared.value)
            await connection.aclose()
            with pytest.raises(farcall.ConnectionLost) as lost:
                await failing.sell()
            found.append(lost.value)
        async with open_pair(Failing()) as (session, _):
            with pytest.raises(farcall.MethodNotFound) as unknown:
                await session.call("none")
            found.append(unknown.value)
        return found

    for error in trio.run(main):
        twin = copied(how, error)
        assert (type(twin), str(twin)) == (type(error), str(error))
        assert vars(twin) == vars(error)


def test_a_group_of_errors_survives() -> None:
    """A group of errors can be copied and pickled."""
    group = ExceptionGroup("both", [SoldOut("A-1"), farcall.ConnectionLost("cut", sent=False)])

    twin = pickle.loads(pickle.dumps(group))

    assert [str(each) for each in twin.exceptions] == [str(each) for each in group.exceptions]


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_can_be_compared_and_hashed(name: str) -> None:
    """Two errors are equal only if they are the same object."""
    error: object = ERRORS[name]()
    other: object = ERRORS[name]()

    assert error == error
    assert error not in (5, other)
    assert len({error, error}) == 1


# Values


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("name", VALUES)
def test_a_value_survives(name: str, how: str) -> None:
    """A copy of a value is equal to it, with the same hash and text."""
    value = VALUES[name]

    twin = copied(how, value)

    assert twin == value
    assert hash(twin) == hash(value)
    assert repr(twin) == repr(value)
    assert value != 5


@pytest.mark.parametrize("how", COPIES)
def test_a_value_that_stands_for_itself_survives(how: str) -> None:
    """A copy of `OMIT` is `OMIT` itself."""
    assert copied(how, farcall.OMIT) is farcall.OMIT


# What lives


def noting(seen: list[CallContext]) -> farcall.Interceptor:
    async def note(call: CallContext, proceed: Proceed) -> Any:
        seen.append(call)
        return await proceed()

    return note


async def with_live_objects(look: Callable[[str, Any], object]) -> None:
    """Look at one of each kind, while it lives."""
    shop, contexts = Shop(), list[CallContext]()
    async with trio.open_nursery() as nursery:
        serve = functools.partial(farcall.serve, shop, 0, interceptors=[noting(contexts)])
        server: farcall.Server = await nursery.start(serve)
        look("Server", server)
        async with farcall.connect(server.url) as session, open_pair(shop) as (_, connection):
            stub, by_class = session.proxy(ShopProxy), session.proxy(Shop)
            await stub.price("A-1")
            async with stub.sold.subscribe() as subscription:
                for name, each in {
                    "BoundRemoteSignal": stub.sold,
                    "BoundSignal": shop.sold,
                    "CallContext": contexts[0],
                    "Connection": connection,
                    "MemoryTransport": memory_pair()[0],
                    "Proxy": stub,
                    "RemoteSignal": ShopProxy.sold,
                    "Session": session,
                    "Signal": Shop.sold,
                    "Subscription": subscription,
                    "proxy of a class": by_class,
                    "signal of that": by_class.sold,
                }.items():
                    look(name, each)
        server.shutdown()


async def test_a_copy_of_what_lives_is_that_itself() -> None:
    """A copy of a record shares the connection that the record holds."""
    seen: set[str] = set()

    def look(name: str, live: Any) -> None:
        assert copy.copy(live) is live
        assert copy.deepcopy({"held": [live]})["held"][0] is live
        assert live == live
        assert live != 5
        assert len({live, live}) == 1
        assert " object at 0x" not in repr(live)
        assert bool(live) is True
        seen.add(name)

    await with_live_objects(look)

    assert seen >= LIVE


async def test_what_lives_cannot_be_pickled() -> None:
    """Pickling a live object raises TypeError that names it, not a socket within it."""

    def look(_: str, live: Any) -> None:
        with pytest.raises(TypeError, match="cannot be pickled: it is a handle"):
            pickle.dumps(live)

    await with_live_objects(look)


async def test_what_lives_can_be_looked_at_before_it_is_made() -> None:
    """Objects made without `__init__` can be inspected without recursion."""

    def look(_: str, live: Any) -> None:
        cls: Any = type(live)
        empty = cls.__new__(cls)
        for name in ("nothing", "__deepcopy__", "_caller"):
            getattr(empty, name, None)
        with pytest.raises((AttributeError, TypeError)):
            raise AttributeError(repr(empty))

    await with_live_objects(look)


async def test_statistics_survive() -> None:
    """Statistics can be copied and pickled."""
    async with open_pair(Shop()) as (session, _):
        taken = session.statistics()

    for how in COPIES:
        assert copied(how, taken) == taken
    assert isinstance(taken, farcall.ConnectionStatistics)
    assert isinstance(hash(taken), int)


async def test_the_context_of_a_call_does_not_show_its_arguments() -> None:
    """The `repr` of a call context shows no arguments."""
    seen: list[CallContext] = []
    async with open_pair(Shop(), interceptors=[noting(seen)]) as (session, _):
        await session.call("Shop.price", "s3cret")

    assert dict(seen[0].arguments) == {"sku": "s3cret"}
    assert "s3cret" not in repr(seen[0])
    assert "CallContext(" in repr(seen[0])


def test_a_service_object_can_be_copied() -> None:
    """A copy of a service object has subscribers of its own."""
    shop = Shop()

    twin = copy.copy(shop)

    assert twin.sold is not shop.sold
    assert copy.deepcopy(shop).sold is not shop.sold
