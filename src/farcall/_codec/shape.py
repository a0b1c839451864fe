"""The seam of the codec: what can carry the values of one type, and `OMIT`, which is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias, TypeGuard, final

import attrs

_TEXTS = (str, bytes, bytearray, memoryview)


class Read(Protocol):
    """A hook that reads; cattrs gives it the type as well, which ours know already."""

    def __call__(self, data: Any, _: Any = None, /) -> Any:
        """Make the Python value."""
        ...


Write: TypeAlias = Callable[[Any], Any]
"""A hook that writes."""


class Shape(Protocol):
    """One type, between its Python values and what stands for them in JSON.

    What JSON holds is None, bool, int, float, str, list and dict, as msgspec reads and writes
    them: never a subclass.
    """

    @property
    def label(self) -> str:
        """The name of the type in messages."""
        ...

    def read(self, data: Any, _: Any = None, /) -> Any:
        """Make the Python value.

        Raises:
            Mismatch: `data` is not what stands for a value of the type.
        """
        ...

    def write(self, value: Any, /) -> Any:
        """Make what stands for a value; it shares no list or dict with it.

        Raises:
            Mismatch: `value` is not of the type.
        """
        ...

    def fits(self, value: object, /) -> bool:
        """Tell by a look at its outside whether a value is meant for this member of a union."""
        ...


def class_of(data: object) -> type[object]:
    """Give the class of what was read, which is its form."""
    return type(data)


def is_array(data: Any) -> TypeGuard[list[Any]]:
    """Tell whether what was read is an array."""
    return type(data) is list


def is_object(data: Any) -> TypeGuard[dict[str, Any]]:
    """Tell whether what was read is an object."""
    return type(data) is dict


def is_table(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Tell whether a Python value is a table."""
    return isinstance(value, Mapping)


def is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    """Tell whether a Python value is a sequence; texts are none here."""
    return isinstance(value, Sequence) and not isinstance(value, _TEXTS)


@attrs.frozen
class Plain:
    """A shape without parts."""

    label: str
    read: Read
    write: Write
    fits: Callable[[object], bool]


def instance_of(cls: type) -> Callable[[object], bool]:
    """Make the test whether a value is of a class, or of one below it."""
    return lambda value: isinstance(value, cls)


@final
class _Omit:
    def __repr__(self) -> str:
        return "farcall.OMIT"

    def __reduce__(self) -> str:
        return "OMIT"  # copies and pickles are the one object


OMIT: Final[Any] = _Omit()
"""An argument, or a field of a record, with this value is not sent; the other side's default
applies. Stubs write it for defaults that have no literal."""
