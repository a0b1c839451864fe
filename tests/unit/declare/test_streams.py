"""`@stream`, and classes with streams."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import attrs
import pytest
from msgspec.structs import replace

import farcall
from farcall import ApplicationError, DeclarationError, local, method, service, stream
from farcall._codec import Faults
from farcall._contract.spec import ArgumentSpec, Ref, Scalar
from farcall._declare import Method, Rule, method_of, service_of
from farcall._declare.marks import Marks, marks_of
from farcall._serving.endpoints import Endpoints


class Closed(ApplicationError): ...


@attrs.frozen
class Quote:
    symbol: str
    price: float = 1.0


@service
class Market:
    @stream(name="past", raises=[Closed])
    async def history(self, symbol: str) -> AsyncIterator[Quote]:
        """Tell the prices of old."""
        yield Quote(symbol)

    async def place(self, orders: AsyncIterable[Quote], *, at: str = "") -> int:
        return len([order async for order in orders])

    @stream
    async def echo(self, numbers: AsyncIterable[int]) -> AsyncIterator[int]:
        async for number in numbers:
            yield number


class MarketStub:
    def history(self, symbol: str) -> AbstractAsyncContextManager[AsyncIterator[Quote]]:
        raise NotImplementedError


def found(name: str) -> Method:
    return service_of(Market).methods[name]


def refusal(declare: Callable[[], object]) -> DeclarationError:
    with pytest.raises(DeclarationError) as caught:
        declare()
    return caught.value


def test_marks() -> None:
    """The function that @stream returns has marks with its options."""
    assert marks_of(Market.history) == Marks("stream", "past", (Closed,))
    assert marks_of(Market.echo) == Marks("stream")


def test_contract_of_a_stream() -> None:
    """The contract has the type of an item, and the errors."""
    history = found("past")

    assert history.is_stream
    assert history.is_async
    assert (history.spec.stream, history.spec.inline) == (True, False)
    assert history.spec.result == Ref("Quote")
    assert history.spec.raises == ("Closed",)
    assert history.spec.doc == "Tell the prices of old."
    assert history.result.encode(Quote("A")) == b'{"symbol":"A","price":1.0}'


def test_contract_of_an_upload() -> None:
    """The contract of an upload has the type of one item."""
    place = found("Market.place")

    assert place.spec.arguments[0] == ArgumentSpec("orders", Ref("Quote"), "either", upload=True)
    assert not place.is_stream
    assert list(place.uploads) == ["orders"]
    assert place.uploads["orders"].decode(b'{"symbol":"A"}', unknown="ignore", at="item") == Quote(
        "A"
    )
    assert found("Market.echo").spec.arguments[0].type == Scalar("int")
    assert found("past").uploads == {}


@pytest.mark.parametrize("carried", [{"$stream": "u1"}, [1, 2]])
def test_upload_among_the_arguments(carried: object) -> None:
    """Among the arguments, an upload is its reference, or the array of a plain peer."""
    arguments = found("Market.place").arguments

    text = arguments.encode((carried,), {"at": "noon"})

    assert arguments.decode(text) == ([], {"orders": carried, "at": "noon"})
    with pytest.raises(Faults, match="orders"):
        arguments.decode(b'{"at":"noon"}')


async def test_local_use() -> None:
    """A stream of the object itself is a context manager, as on a proxy."""
    async with Market().history("A") as quotes:
        assert [quote async for quote in quotes] == [Quote("A")]


async def test_generator_of_an_endpoint() -> None:
    """`__wrapped__` of a stream is the generator function."""
    market = Market()
    endpoint = Endpoints.of([market]).methods["past"]

    assert [quote async for quote in endpoint.generator("A")] == [Quote("A")]


async def test_stream_among_functions() -> None:
    """functions() accepts streams."""

    @stream
    async def count(to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number

    endpoint = Endpoints.of([farcall.functions(count, name="numbers")]).methods["numbers.count"]

    assert [number async for number in endpoint.generator(2)] == [0, 1]


def test_stream_of_a_stub_is_read_alike() -> None:
    """A stub that has the same parameters and items has the same contract."""
    spec = method_of(MarketStub.history, "past", [Closed], stream=True).spec

    assert replace(spec, doc=found("past").spec.doc) == found("past").spec


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


async def endless(self: object) -> AsyncIterator[int]:
    yield 1


async def once(self: object) -> int:
    return 1


def plain() -> AsyncIterator[int]:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("decorate", "rule"),
    [
        (lambda: stream(plain), Rule.NO_STREAM),
        (lambda: stream(logged(endless)), Rule.NO_STREAM),
        (lambda: stream(stream(endless)), Rule.CONFLICTING_MARKS),  # type: ignore[arg-type]
        (lambda: method(stream(endless)), Rule.CONFLICTING_MARKS),
        (lambda: local(stream(endless)), Rule.CONFLICTING_MARKS),
        (lambda: stream("history"), Rule.NO_FUNCTION),  # type: ignore[call-overload]
        (lambda: stream(raises=[KeyError])(endless), Rule.BAD_ERROR),  # type: ignore[list-item]
    ],
)
def test_refused(decorate: Callable[[], object], rule: Rule) -> None:
    """@stream refuses functions that are not async generators, or have other marks."""
    assert refusal(decorate).number == rule


@pytest.mark.parametrize("option", ["oneway", "thread", "ordered", "idempotent"])
def test_options_of_calls(option: str) -> None:
    """@stream refuses an option that only calls have, and says why."""
    options: dict[str, Any] = {option: True}
    error = refusal(lambda: stream(**options)(endless))

    assert error.number == Rule.STREAM_OPTION
    assert error.fix == f"Remove {option}="


def test_unknown_option() -> None:
    """@stream raises TypeError for an unknown option."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'speed'"):
        stream(speed=1)(endless)  # type: ignore[call-overload]


def made(**members: Any) -> type:
    return service(type("Shop", (), members))


def overriding(**members: Any) -> type:
    return type("FakeMarket", (Market,), members)


@pytest.mark.parametrize(
    ("declare", "rule"),
    [
        (lambda: made(f=logged(stream(endless))), Rule.NO_STREAM),
        (lambda: service(overriding(echo=once)), Rule.NO_STREAM),
        (lambda: service(overriding(echo=endless)), Rule.NO_STREAM),
        (lambda: farcall.functions(logged(stream(endless)), name=""), Rule.NO_STREAM),
        (lambda: made(_f=stream(endless)), Rule.PRIVATE_MEMBER),
        (lambda: made(f=endless), Rule.GENERATOR),
    ],
)
def test_class_is_refused(declare: Callable[[], object], rule: Rule) -> None:
    """A decorator on top of @stream is refused, and so is a call that overrides a stream."""
    assert refusal(declare).number == rule


async def fake(self: object, numbers: AsyncIterable[int]) -> AsyncIterator[int]:
    yield 7


async def test_fake_of_a_stream() -> None:
    """A subclass that is not decorated may override a stream by another one."""
    market = overriding(echo=stream(fake))()

    assert service_of(market) is service_of(Market)
    endpoint = Endpoints.of([market]).methods["Market.echo"]
    assert [number async for number in endpoint.generator(None)] == [7]


@pytest.mark.parametrize(
    ("members", "rule"),
    [
        ({"echo": fake}, Rule.CHANGED_MEMBER),
        ({"echo": once}, Rule.CHANGED_MEMBER),
        ({"place": stream(fake)}, Rule.LOST_MEMBER),
        ({"echo": stream(name="e")(fake)}, Rule.LOST_MEMBER),
    ],
)
def test_fake_is_refused(members: dict[str, Any], rule: Rule) -> None:
    """An undecorated subclass may not turn a stream into a call or the reverse, or give options."""
    assert refusal(lambda: service_of(overriding(**members))).number == rule
