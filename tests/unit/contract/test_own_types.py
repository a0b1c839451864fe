"""Classes that cross as another type, in a contract."""

from __future__ import annotations

import enum
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import attrs
import pytest

from farcall import Via, register_type
from farcall._contract.compatibility import Fit
from farcall._contract.definitions import Definitions
from farcall._contract.describe import describe
from farcall._contract.digest import canonical_form
from farcall._contract.form_reading import BadDocument, read_form
from farcall._contract.forms import form_of
from farcall._contract.labels import label, spelled
from farcall._contract.own_types import place_of
from farcall._contract.spec import (
    Imports,
    NewTypeSpec,
    Place,
    Scalar,
    ServiceSpec,
    TupleOf,
    TypeSpec,
    UnsupportedType,
    ViaOf,
)
from farcall._contract.validity import check_contract

HERE = __name__
STR, INT = Scalar("str"), Scalar("int")
MONEY = ViaOf("Money", STR, Imports(Place(HERE, "Money"), HERE))
READ = ViaOf("Money", STR)
"""As a document has it."""


class Money:
    """A class that is no record."""


class Array:
    """One with generic forms."""

    def __class_getitem__(cls, item: object) -> Any:
        return Annotated[cls, item]


class Unhashable:
    """One that no set can hold."""

    __hash__ = None  # type: ignore[assignment]


@attrs.frozen
class Record:
    x: int


class Level(enum.Enum):
    LOW = 1


def encode(value: object) -> str:
    return str(value)


def decode(text: str) -> Any:
    return text


register_type(Money, str, encode=encode, decode=decode)
register_type(Unhashable, str, encode=encode, decode=decode)


def described(annotation: Any) -> TypeSpec:
    return describe(annotation, Definitions())


def via(wire: Any, encode: Callable[[Any], Any] = encode) -> Any:
    return Via(wire, encode=encode, decode=decode)


def noted(name: str, module: str, wire: TypeSpec) -> TypeSpec:
    names = Place(HERE, "encode"), Place(HERE, "decode")
    return ViaOf(name, wire, Imports(Place(module, name), None, *names))


def test_registered() -> None:
    """A registered class is named with its type on the wire, wherever it stands."""
    assert described(Money) == MONEY
    assert described(list[Money]) == described(list[Annotated[Money, "a note"]])


def test_noted() -> None:
    """A note says how a class crosses, also one for which farcall has a form, or a record."""
    assert described(Annotated[Decimal, via(int)]) == noted("Decimal", "decimal", INT)
    assert described(Annotated[Record, via(list[int])]) == noted(
        "Record", HERE, described(list[int])
    )
    assert described(Annotated[Money, via(int)]) == noted("Money", HERE, INT)
    assert described(tuple[Annotated[Decimal, via(int)], Decimal]) != described(
        tuple[Decimal, Decimal]
    )


def test_imports() -> None:
    """A stub imports the class and the module that registers it, or the functions of a note."""
    place, names = Place(HERE, "Money"), (Place(HERE, "encode"), Place(HERE, "decode"))
    assert imports(Money) == Imports(place, HERE)
    assert imports(Annotated[Money, via(int)]) == Imports(place, None, *names)
    assert imports(Annotated[Decimal, via(int)]) == Imports(
        Place("decimal", "Decimal"), None, *names
    )


def test_no_imports() -> None:
    """What has no name in a module cannot be imported."""

    class Local:
        pass

    assert imports(Annotated[Local, via(int)]) is None
    assert imports(Annotated[Money, via(int, lambda money: 1)]) is None


def imports(annotation: Any) -> Imports | None:
    spec = described(annotation)
    assert isinstance(spec, ViaOf)
    return spec.imports


@pytest.mark.parametrize(
    ("named", "place"),
    [
        (str, Place("builtins", "str")),
        (Decimal.from_float, Place("decimal", "Decimal.from_float")),
        (str.upper, Place("builtins", "str.upper")),
        (test_imports, Place(HERE, "test_imports")),
        ("a".upper, None),
        (lambda: 1, None),
        (1, None),
    ],
)
def test_place(named: object, place: Place | None) -> None:
    """An object has a place if Python code finds it there by its name."""
    assert place_of(named) == place


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        (Annotated[list[int] | None, via(str)], "farcall.Via stands beside"),
        (
            Annotated[Money, via(Record)],
            "the type by which Money crosses: Record is not plain JSON",
        ),
        (Annotated[Money, via(list[Level])], "list[Level] is not plain JSON"),
        (Annotated[Money, via(Annotated[Decimal, via(int)])], "Decimal as int is not plain JSON"),
        (Annotated[Money, via(complex)], "the type by which Money crosses: complex cannot cross"),
        (
            tuple[
                Annotated[Money, via(int, lambda money: 1)],
                Annotated[Money, via(int, lambda money: 2)],
            ],
            "Money crosses as int in two ways that look the same",
        ),
        (set[Unhashable], "Unhashable has no hash, so a set cannot hold it"),
        (dict[Unhashable, int], "Unhashable has no hash, so it cannot be the key of a dict"),
        (dict[Annotated[Money, via(float)], int], "must be strings or integers"),
        (Money | str, "Money and str look the same in JSON"),
    ],
)
def test_refused(annotation: Any, problem: str) -> None:
    """A type that cannot cross so is refused when it is declared."""
    with pytest.raises(UnsupportedType) as caught:
        described(annotation)

    assert problem in str(caught.value)


def test_several_ways() -> None:
    """One contract can have a class by several types and functions, and by its own fields."""
    registered, noted, plain = (
        described(each)
        for each in (Record, Annotated[Record, via(int)], Annotated[Record, via(str)])
    )

    every = tuple[Record, Annotated[Record, via(int)], Annotated[Record, via(str)]]
    assert described(every) == TupleOf((registered, noted, plain))


def test_one_way_twice() -> None:
    """A note that is evaluated again is the same one, though a lambda is another object then."""
    one, other = (via(str, lambda value: "x") for _ in range(2))

    described(tuple[Annotated[Money, one], Annotated[Money, other]])


def test_names() -> None:
    """A message names the class; the notation of types adds the type on the wire."""
    assert label(MONEY) == "Money"
    assert spelled(MONEY) == "Money as str"


def test_contract() -> None:
    """The type on the wire is part of the contract; what a stub imports is not."""
    assert canonical_form(described(Money)) == ["via", "Money", "str"]
    assert canonical_form(READ) == canonical_form(MONEY)


@pytest.mark.parametrize(
    ("written", "read", "fits"),
    [
        (MONEY, READ, True),
        (READ, MONEY, True),
        (ViaOf("Money", INT), ViaOf("Money", Scalar("float")), True),
        (MONEY, STR, True),
        (MONEY, ViaOf("Price", STR), False),
        (STR, MONEY, False),
        (MONEY, INT, False),
        (ViaOf("Money", INT), MONEY, False),
    ],
)
def test_compatibility(written: TypeSpec, read: TypeSpec, fits: bool) -> None:
    """A reader takes a class by its type on the wire; the class takes some values of that alone."""
    assert Fit({}, {}, reader_is_strict=True).fits(written, read) is fits


def test_document() -> None:
    """A document has the class and its type on the wire, and nothing that a stub would import."""
    spec = ServiceSpec("S", "S", (), (), (NewTypeSpec("Fee", described(Money)),))
    read = read_form(ServiceSpec, form_of(spec), "")
    check_contract(read, "")

    assert read.definitions == (NewTypeSpec("Fee", READ),)
    assert HERE not in str(form_of(spec))


@pytest.mark.parametrize("name", ["a b", "class", "x" * 257, "__x"])
def test_document_with_a_wrong_name(name: str) -> None:
    """A document cannot name a class as Python cannot."""
    spec = ServiceSpec("S", "S", (), (), (NewTypeSpec("Fee", ViaOf(name, STR)),))
    with pytest.raises(BadDocument, match="expected a Python name of at most 256 characters"):
        check_contract(spec, "")
