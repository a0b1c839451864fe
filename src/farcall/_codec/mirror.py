"""Mirrors: types that msgspec reads and writes in C, where that is exactly what the codec does.

A mirror of a record is a struct with its fields. Reading decodes JSON into the struct, which checks
every value, and calls the record's class with the fields. Writing copies the record into the struct
with `msgspec.convert`, which checks every value as well, and encodes the struct.

A mirror can refuse a value that the codec accepts, such as an instance of a subclass of `list` or
an int of more than 64 bits. The reverse must not happen: when a mirror fails, the codec tries again
and words all errors. A type for which msgspec accepts more has no mirror, or one that only reads.
`tests/unit/codec/test_mirror.py` compares mirrors with the codec for random types and values.

Both directions share this module; see `mirror_reading` and `mirror_writing`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from farcall._contract.algebra import fields_of
from farcall._contract.definitions import Definitions
from farcall._contract.records import attribute_names
from farcall._contract.scalars import ScalarName
from farcall._contract.spec import (
    EnumSpec,
    LiteralOf,
    RecordSpec,
    Ref,
)

M = TypeVar("M")


class NoMirror(Exception):
    """msgspec accepts other values of a type than the codec."""


_MOST: Final = sys.float_info.max

_NOT_FOUND: Final = getattr(Enum._missing_, "__func__", None)

AS_THEY_ARE: Final[Mapping[ScalarName, tuple[Any, type]]] = {
    "none": (None, type(None)),
    "bool": (bool, bool),
    # A larger int can have more digits than Python reads back.
    "int": (Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)], int),
    # msgspec would write NaN as null.
    "float": (Annotated[float, Meta(ge=-_MOST, le=_MOST)], float),
    "str": (str, str),
}
"""The scalars that JSON has itself, each with its msgspec type and its class."""


class Member(Struct, frozen=True):
    """A field of a record, or an argument of a call.

    Args:
        name: The name on the wire, and of the argument of the constructor.
        attribute: The attribute of the struct, and of a record that is read by its attributes.
        is_required: Whether it must be there.
        type: The type in the contract; for an argument its codec.
    """

    name: str
    attribute: str
    is_required: bool
    type: Any


def members_of(record: RecordSpec, ref: Ref, definitions: Definitions) -> list[Member]:
    """List the fields of a record.

    Raises:
        NoMirror: it is neither an attrs class nor a dataclass. A TypedDict keeps the order of its
            keys, which a struct does not, and msgspec writes a named tuple as an array.
    """
    if record.kind not in ("attrs", "dataclass"):
        raise NoMirror(ref)
    attributes = attribute_names(definitions.class_of(ref.name))
    return [
        Member(
            field.name, attributes.get(field.name, field.name), field.default is None, field.type
        )
        for field in fields_of(record, ref.arguments)
    ]


def struct_of(
    members: Sequence[Member],
    types: Sequence[Any],
    *,
    refuses_unknown: bool,
    is_array: bool = False,
) -> Any:
    """Make the struct of members, with their msgspec types."""
    fields: list[Any] = [
        (member.attribute, each)
        if member.is_required
        else (member.attribute, Union[each, UnsetType], UNSET)  # noqa: UP007
        for member, each in zip(members, types, strict=True)
    ]
    return msgspec.defstruct(
        "Mirror",
        fields,
        rename={member.attribute: member.name for member in members},
        forbid_unknown_fields=refuses_unknown,
        array_like=is_array,
    )


def literal(spec: LiteralOf) -> tuple[Any, frozenset[type]]:
    """Return the msgspec type of a literal, and the classes of its values."""
    classes = frozenset(map(type, spec.values))
    if not classes <= {int, str, type(None)}:
        raise NoMirror(spec)
    return Literal[spec.values], classes


def enum(spec: EnumSpec, definitions: Definitions) -> Any:
    """Return the class of an enum, if its members are found by their values alone."""
    cls: Any = definitions.class_of(spec.name)
    # A base without members may define it as well.
    if getattr(cls._missing_, "__func__", None) is not _NOT_FOUND:
        raise NoMirror(spec)
    return cls


class Walk(Struct, frozen=True):
    """The records around the current part of a type: a record inside itself has no mirror."""

    _inside: list[Ref] = field(default_factory=list[Ref])

    @contextmanager
    def into(self, ref: Ref) -> Iterator[None]:
        """Walk through the fields of a record in the block.

        Raises:
            NoMirror: it is inside itself.
        """
        if ref in self._inside:
            raise NoMirror(ref)
        self._inside.append(ref)
        yield
        self._inside.pop()


def find_mirror(find: Callable[[], M]) -> M | None:
    """Return a mirror; None if there is none."""
    try:
        return find()
    except (NoMirror, TypeError, NotImplementedError):  # msgspec raises the last two
        return None


def union(types: Sequence[Any]) -> Any:
    """Make the union of msgspec types.

    Raises:
        NoMirror: one is a tuple with a fixed number of items. In such a union msgspec 0.23 looks
            for the bounds of numbers at a wrong place in its memory, and crashes.
    """
    if any(get_origin(each) is tuple and get_args(each)[-1] is not Ellipsis for each in types):
        raise NoMirror(types)
    return Union[tuple(types)]  # noqa: UP007  # `|` takes two types
