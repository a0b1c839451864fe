"""Declared errors."""

from __future__ import annotations

import attrs
import msgspec
import pytest

from farcall._codec import ErrorCodec, UnsupportedType
from farcall.errors import ApplicationError, EncodeError


@attrs.define
class OutOfStock(ApplicationError):
    sku: str
    left: int = 0


@attrs.frozen
class SoldOut(OutOfStock):
    code = 7
    until: str | None = None


class Closed(ApplicationError):
    """It has no fields."""


@attrs.define
class Other(ApplicationError):
    pass


@attrs.define
class Quiet(OutOfStock):
    """It is not declared, but its base is."""

    note: str = ""


@attrs.define
class Hoarse(ApplicationError):
    def __str__(self) -> str:
        return "hoarse \ud800"


ERRORS = ErrorCodec([OutOfStock, SoldOut, Closed, Hoarse])


def test_knows() -> None:
    """Declared classes and their subclasses are known."""
    assert ERRORS.knows(OutOfStock("a"))
    assert ERRORS.knows(Quiet("a"))
    assert not ERRORS.knows(Other())
    assert not ERRORS.knows(ValueError())


@pytest.mark.parametrize(
    ("exc", "code", "message", "data"),
    [
        (
            OutOfStock("a", 1),
            1,
            "OutOfStock: sku=a, left=1",
            '{"code":"OutOfStock","fields":{"sku":"a","left":1}}',
        ),
        (
            SoldOut("a"),
            7,
            "SoldOut: sku=a, left=0, until=null",
            '{"code":"SoldOut","fields":{"sku":"a","left":0,"until":null}}',
        ),
        (Closed("for today"), 1, "for today", '{"code":"Closed","fields":{}}'),
        (Hoarse(), 1, "hoarse \\ud800", '{"code":"Hoarse","fields":{}}'),
    ],
)
def test_encode(exc: ApplicationError, code: int, message: str, data: str) -> None:
    """An error crosses by the name of the nearest declared class, with its fields."""
    assert ERRORS.encode(exc) == (code, message, data.encode())


def test_what_a_subclass_adds_is_not_told() -> None:
    """Fields that a subclass adds are sent neither as data nor in the message."""
    fields = '{"code":"OutOfStock","fields":{"sku":"a","left":0}}'
    assert ERRORS.encode(Quiet("a", note="hush")) == (
        1,
        "OutOfStock: sku=a, left=0",
        fields.encode(),
    )


def test_wrong_field() -> None:
    """A field that is not of its type is reported with its path."""
    with pytest.raises(EncodeError, match=r"^expected str, got int @ OutOfStock\.sku$"):
        ERRORS.encode(OutOfStock(1))  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize("exc", [OutOfStock("a", 1), SoldOut("a", 1, "noon")])
def test_round_trip(exc: ApplicationError) -> None:
    """An error arrives with its class and shows the message of the other side."""
    code, _, data = ERRORS.encode(exc)

    arrived = ERRORS.decode(code, "there is none", msgspec.Raw(data))

    assert type(arrived) is type(exc)
    assert repr(arrived) == repr(exc)
    assert str(arrived) == "there is none"


def test_without_fields() -> None:
    """An error without fields arrives."""
    arrived = ERRORS.decode(1, "closed", b'{"code":"Closed","fields":{}}')

    assert type(arrived) is Closed
    assert str(arrived) == "closed"


def test_fields_may_grow() -> None:
    """Unknown fields are ignored; fields left out have their defaults."""
    data = b'{"code":"OutOfStock","fields":{"sku":"a","new":1},"cause":{}}'

    arrived = ERRORS.decode(1, "", data)

    assert isinstance(arrived, OutOfStock)
    assert (arrived.sku, arrived.left) == ("a", 0)


@pytest.mark.parametrize(
    ("code", "data"),
    [
        (1, None),
        (1, b"null"),
        (1, b"[]"),
        (1, b"nonsense"),
        (1, b"{}"),
        (1, b'{"code":1}'),
        (1, b'{"code":"Other","fields":{}}'),
        (1, b'{"code":"OutOfStock"}'),
        (1, b'{"code":"OutOfStock","fields":{"sku":1}}'),
        (1, b'{"code":"OutOfStock","fields":[]}'),
        (-32603, b'{"code":"OutOfStock","fields":{"sku":"a"}}'),
    ],
)
def test_not_declared(code: int, data: bytes | None) -> None:
    """Data without a declared class, or without its fields, makes no exception."""
    assert ERRORS.decode(code, "", data) is None


def test_unsupported() -> None:
    """An error with a field that cannot cross is refused when it is declared."""

    @attrs.define
    class Bad(ApplicationError):
        value: complex

    Bad.__annotations__["value"] = complex

    with pytest.raises(UnsupportedType, match=r"^Bad\.value: complex"):
        ErrorCodec([Bad])
