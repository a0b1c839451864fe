"""Parsing signals of a class."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, NewType, TypedDict, TypeVar
from uuid import UUID

import attrs
import pytest

from farcall import DeclarationError, Signal, service
from farcall._contract.spec import Ref, Scalar, TypeSpec
from farcall._declare import Rule, SignalEntry, service_of

T = TypeVar("T")


class Side(enum.Enum):
    BUY = "buy"


Symbol = NewType("Symbol", str)


@attrs.frozen
class Trade:
    id: UUID
    side: Side
    symbol: Symbol
    currency: Literal["EUR", "USD"]
    mixed: Literal["a", 1]
    count: int
    price: float
    limit: int | None
    _owner: str = attrs.field(default="", alias="owner")


@dataclass
class Page(Generic[T]):
    number: int
    content: T


class Tick(TypedDict):
    symbol: str


def entry_of(annotation: Any, signal: Any) -> SignalEntry:
    body = {"ticked": signal, "__annotations__": {"ticked": annotation}, "__module__": __name__}
    return service_of(service(type("Market", (), body))).signals["Market.ticked"]


@pytest.mark.parametrize(
    ("annotation", "signal"),
    [
        (Signal[float], Signal()),
        ("Signal[float]", Signal()),
        (ClassVar[Signal[float]], Signal()),
        ("ClassVar[Signal[float]]", Signal()),
        (Signal[float], Signal[float]()),
    ],
)
def test_type_in_the_annotation(annotation: object, signal: object) -> None:
    """The annotation of a signal says which values it has."""
    assert entry_of(annotation, signal).spec.value == Scalar("float")


def test_type_in_the_value() -> None:
    """The type of a signal may stand in the call, as in ``Signal[int]()``."""

    @service
    class Market:
        ticked = Signal[float](name="tick", retain=True, broadcast=True)

    spec = service_of(Market).signals["tick"].spec

    assert spec.value == Scalar("float")
    assert (spec.name, spec.wire_name) == ("ticked", "tick")
    assert spec.retain
    assert spec.broadcast


@pytest.mark.parametrize(
    ("key", "type_"),
    [
        ("id", Scalar("uuid")),
        ("side", Ref("Side")),
        ("symbol", Ref("Symbol")),
        ("count", Scalar("int")),
    ],
)
def test_key(key: str, type_: TypeSpec) -> None:
    """A key is a field that is text, int, UUID or Enum."""
    spec = entry_of(Signal[Trade], Signal(key=key)).spec

    assert (spec.key, spec.key_type) == (key, type_)


def test_key_is_read_from_the_values() -> None:
    """The key of a value is read from its field for every kind of record."""
    by_owner = entry_of(Signal[Trade], Signal(key="owner")).codecs.key
    by_number = entry_of(Signal[Page[float]], Signal(key="number")).codecs.key
    by_symbol = entry_of(Signal[Tick], Signal(key="symbol")).codecs.key
    trade = Trade(UUID(int=1), Side.BUY, Symbol("A"), "EUR", "a", 1, 1.0, None, "ada")

    assert by_owner is not None
    assert by_owner.of(trade) == b'"ada"'
    assert by_number is not None
    assert by_number.of(Page(3, 1.0)) == b"3"
    assert by_symbol is not None
    assert by_symbol.of(Tick(symbol="A")) == b'"A"'


def test_literal_key() -> None:
    """A key may be a Literal of str or of int."""
    assert entry_of(Signal[Trade], Signal(key="currency")).spec.key == "currency"


@pytest.mark.parametrize("key", ["price", "limit", "mixed", "_owner", "nothing"])
def test_no_key(key: str) -> None:
    """A field of a type without a unique JSON text is refused as key."""
    with pytest.raises(DeclarationError) as caught:
        entry_of(Signal[Trade], Signal(key=key))

    assert caught.value.number == Rule.BAD_KEY


@pytest.mark.parametrize(
    ("annotation", "signal", "rule"),
    [
        (Signal, Signal(), Rule.SIGNAL_WITHOUT_TYPE),
        (int, Signal(), Rule.SIGNAL_WITHOUT_TYPE),
        (Signal[float], 3, Rule.SIGNAL_WITHOUT_VALUE),
        (Signal[float], Signal[float], Rule.SIGNAL_WITHOUT_VALUE),
        (ClassVar[Signal[float]], None, Rule.SIGNAL_WITHOUT_VALUE),
        (Signal[object], Signal(key="a"), Rule.BAD_KEY),
        (Signal[type], Signal(), Rule.UNSUPPORTED_TYPE),
        (Signal[float], Signal(history=1), Rule.HISTORY_LATER),
    ],
)
def test_refused(annotation: object, signal: object, rule: Rule) -> None:
    """A wrong signal is refused with the number of the rule."""
    with pytest.raises(DeclarationError) as caught:
        entry_of(annotation, signal)

    assert caught.value.number == rule


async def test_inherited_signal_goes_by_the_type_of_its_class() -> None:
    """A signal that two services share is encoded by the contract of each."""

    @service
    class Base:
        ticked: Signal[float] = Signal()

    @service
    class Market(Base):
        async def close(self) -> None: ...

    Base().ticked.emit(1.0)
    Market().ticked.emit(1.0)

    assert service_of(Market).signals["Market.ticked"].signal is Base.ticked
