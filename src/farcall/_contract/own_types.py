"""Types of one's own: classes that cross the wire as another type, by two functions."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Generic, TypeGuard, TypeVar
from weakref import WeakSet

import attrs
from msgspec import Struct

from farcall._contract.scalars import scalar_of
from farcall._contract.spec import Imports, Place
from farcall._usage.options import check_function, validator

T = TypeVar("T")
W = TypeVar("W")


@attrs.frozen
class Via(Generic[T, W]):
    """Let values of a class cross the wire as another type, where an annotation says so.

    Stubs repeat the annotation, and import the functions. If these have no name in a module, as a
    lambda has none, stubs have the type on the wire instead.

    Args:
        wire: The type on the wire, such as `str`, ``dict[str, int]`` or ``tuple[int, str]``.
        encode: Makes a value of the type on the wire.
        decode: Makes a value of the class. If it raises, the caller gets the error -32602 with the
            path; of exceptions the caller sees only the message of a ValueError.

    >>> from decimal import Decimal
    >>> from typing import Annotated, TypeAlias
    >>> def to_cents(price: Decimal) -> int:
    ...     return int(price * 100)
    >>> def from_cents(cents: int) -> Decimal:
    ...     return Decimal(cents) / 100
    >>> Price: TypeAlias = Annotated[Decimal, Via(int, encode=to_cents, decode=from_cents)]
    """

    wire: type[W]
    encode: Callable[[T], W] = attrs.field(
        kw_only=True, validator=validator(check_function, write="encode=str")
    )
    decode: Callable[[W], T] = attrs.field(
        kw_only=True, validator=validator(check_function, write="decode=Color")
    )


def is_via(note: object) -> TypeGuard[Via[Any, Any]]:
    """Tell whether a note of `Annotated` says how a class crosses."""
    return isinstance(note, Via)


class OwnType(Struct, frozen=True, eq=False):
    """A class, and how its values cross."""

    cls: type
    via: Via[Any, Any]
    module: str | None = None
    """The module that registers the class; None for a note beside it."""

    def agrees(self, other: object) -> bool:
        """Tell whether another one is the same, though it may have been evaluated again."""
        return (
            isinstance(other, OwnType)
            and (self.cls, self.via.wire) == (other.cls, other.via.wire)
            and _is_same(self.via.encode, other.via.encode)
            and _is_same(self.via.decode, other.via.decode)
        )

    def imports(self) -> Imports | None:
        """Return what a stub imports for the class; None if that has no place in a module."""
        cls = _class_place(self.cls)
        if cls is None or self.module == "__main__":
            return None
        if self.module is not None:
            return Imports(cls, self.module)
        encode, decode = place_of(self.via.encode), place_of(self.via.decode)
        return None if encode is None or decode is None else Imports(cls, None, encode, decode)


def _is_same(one: Any, other: Any) -> bool:
    # An alias is evaluated again to find its name, which makes another object of a lambda.
    return bool(one == other) or (
        inspect.isfunction(one)
        and inspect.isfunction(other)
        and one.__code__ == other.__code__
        and one.__closure__ is other.__closure__
    )


_registered: dict[type, OwnType] = {}

_used: WeakSet[type] = WeakSet()
"""Classes of which a contract has been made, so that it is too late to register them."""


def registered(cls: object) -> OwnType | None:
    """Return how a class crosses if it is registered."""
    return _registered.get(cls) if isinstance(cls, type) else None


def register(own: OwnType) -> None:
    """Let a class cross from now on."""
    _registered[own.cls] = own


def note_used(cls: object) -> None:
    """Note that a contract names a class."""
    if isinstance(cls, type):
        _used.add(cls)


def is_used(cls: type) -> bool:
    """Tell whether a contract names a class as a record or an enum."""
    return cls in _used


def place_of(named: object) -> Place | None:
    """Find the module and the name by which Python code can import an object."""
    # Methods of classes in C have no module of their own.
    owner = getattr(named, "__objclass__", getattr(named, "__self__", None))
    module = getattr(named, "__module__", None) or getattr(owner, "__module__", None)
    name = getattr(named, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return None
    try:
        found = attrgetter(name)(sys.modules.get(module))
    except AttributeError:
        return None
    return Place(module, name) if found == named else None


def _class_place(cls: type) -> Place | None:
    scalar = scalar_of(cls)
    if scalar is not None:
        return Place(scalar.module or "builtins", scalar.python_name)
    return place_of(cls)
