"""Registration of classes that cross as another type."""

from __future__ import annotations

import enum
from typing import Any

import attrs
import pytest

from farcall import DeclarationError, register_type, service
from farcall._contract.own_types import registered
from farcall._declare import service_of


def text_of(value: object) -> str:
    return str(value)


def fresh() -> Any:
    """Make a class that no contract names."""
    return type("Fresh", (), {})


def test_module() -> None:
    """A registration keeps the module that makes it."""
    cls = fresh()
    register_type(cls, str, encode=text_of, decode=cls)

    own = registered(cls)
    assert own is not None
    assert own.module == __name__


def test_same_again() -> None:
    """A module that runs again under another name may repeat its registration."""
    cls = fresh()
    for _ in range(2):
        register_type(cls, str, encode=lambda value: str(value), decode=cls)  # noqa: PLW0108


def test_refused_before() -> None:
    """A class can be registered after a declaration that named it was refused."""
    cls = fresh()

    def declare() -> Any:
        async def get(self: object, it: Any) -> None: ...

        get.__annotations__["it"] = cls
        return service(type("S", (), {"get": get, "__module__": __name__}))

    with pytest.raises(DeclarationError, match="FC103"):
        declare()
    register_type(cls, str, encode=text_of, decode=cls)

    assert service_of(declare()).spec.methods[0].arguments[0].name == "it"


@attrs.frozen
class Record:
    x: int


class Level(enum.Enum):
    LOW = 1


@service
class Named:
    """A service that names both types."""

    async def both(self, record: Record) -> Level:
        return Level.LOW


@pytest.mark.parametrize("cls", [Record, Level])
def test_late(cls: Any) -> None:
    """A class of which a contract has been made is too late."""
    with pytest.raises(DeclarationError, match="already, and has its contract"):
        register_type(cls, str, encode=text_of, decode=cls)


@pytest.mark.parametrize("cls", [int, str, dict, list, object, type(None)])
def test_known(cls: Any) -> None:
    """A type for which farcall has a form keeps it."""
    with pytest.raises(DeclarationError, match="farcall has a form for"):
        register_type(cls, str, encode=text_of, decode=cls)


@pytest.mark.parametrize("wrong", ["encode", "decode"])
def test_no_function(wrong: str) -> None:
    """Both functions can be called."""
    functions: Any = {"encode": text_of, "decode": fresh()} | {wrong: "text"}
    with pytest.raises(TypeError, match=f"{wrong}= takes a function"):
        register_type(fresh(), str, **functions)
