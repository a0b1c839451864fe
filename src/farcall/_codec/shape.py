"""Shapes, each of which reads and writes the values of one type; and `OMIT`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias, TypeGuard, final

from msgspec import Struct

_TEXTS = (str, bytes, bytearray, memoryview)


class Read(Protocol):
    """A hook that reads; cattrs passes the type as well, and ours ignore it."""

    def __call__(self, data: Any, _: Any = None, /) -> Any: ...


Write: TypeAlias = Callable[[Any], Any]


class Shape(Protocol):
    """Converts values of one type to JSON data and back.

    JSON data is None, bool, int, float, str, list and dict, as msgspec reads and writes them:
    never a subclass.
    """

    @property
    def label(self) -> str:
        """The name of the type in messages."""
        ...

    def read(self, data: Any, _: Any = None, /) -> Any:
        """Make a Python value of JSON data.

        Raises:
            Mismatch: `data` stands for no value of the type.
        """
        ...

    def write(self, value: Any, /) -> Any:
        """Make JSON data of a value. The two share no list and no dict.

        Raises:
            Mismatch: `value` is not of the type.
        """
        ...

    def fits(self, value: object, /) -> bool:
        """Tell whether a union writes a value by this shape; looks at its outside alone."""
        ...


def class_of(data: object) -> type[object]:
    """Return the class of JSON data, which is its form."""
    return type(data)


def is_table(value: object) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    """Tell whether a Python value is a sequence other than a text or bytes."""
    return isinstance(value, Sequence) and not isinstance(value, _TEXTS)


class Plain(Struct, frozen=True):
    """A shape without parts."""

    label: str
    read: Read
    write: Write
    fits: Callable[[object], bool]


def instance_of(cls: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, cls)


@final
class _Omit:
    def __repr__(self) -> str:
        return "farcall.OMIT"

    def __reduce__(self) -> str:
        return "OMIT"  # so a copy and a pickle are this object


OMIT: Final[Any] = _Omit()
"""The value of an argument or a field that is not sent: the other side's default applies. Stubs
have it in place of a default that source cannot hold."""
