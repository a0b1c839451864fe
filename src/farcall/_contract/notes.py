"""Qualifiers around a type in an annotation, such as `Final`, and the notes of `Annotated`.

Most notes describe a value for readers or for other libraries, and have no meaning here. Some
limit the allowed values. farcall enforces no such limits yet, and refuses them: a limit that is not
enforced is worse than none.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct

from farcall._contract.spec import UnsupportedType

_MAX_NOTES = 1000
"""Notes around one type, counted to find an alias that stands for itself."""

_MAX_SHOWN = 80
"""Characters of a note that a message repeats."""

_QUALIFIERS = frozenset({"typing.Final", "typing.ReadOnly", "typing_extensions.ReadOnly"})
"""By name: `ReadOnly` came with Python 3.13, and with typing_extensions before."""

_LIMITS_OF_META = (
    "gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "tz",
)  # fmt: skip

_VALIDATORS = frozenset({"attr.validators", "pydantic.functional_validators"})
"""Modules whose objects exist to check a value."""

_ALLOWED = frozenset({"annotated_types.Unit", "pydantic.types.Strict", "pydantic.types.FailFast"})
"""Notes of those families that limit no values."""

_OF_PYDANTIC = frozenset({"UuidVersion", "PathType", "UrlConstraints"})
"""Constraints of pydantic without a common base class."""


class AliasName(Struct, frozen=True):
    """A note: source names the type by an alias."""

    name: str


def unwrapped(annotation: Any) -> tuple[Any, tuple[object, ...]]:
    """Take qualifiers, notes and the names of ``type X = ...`` off an annotation.

    Returns:
        The type inside, and all notes around it. The name of an alias is a note as well.

    Raises:
        RecursionError: an alias stands for itself.
    """
    notes: tuple[object, ...] = ()
    while True:
        if len(notes) > _MAX_NOTES:
            raise RecursionError
        if get_origin(annotation) is Annotated:
            notes += annotation.__metadata__[::-1]  # the last note is outermost
            annotation = annotation.__origin__
        elif _is_alias(annotation):
            notes += (AliasName(annotation.__name__),)
            annotation = annotation.__value__
        elif _is_alias(get_origin(annotation)):
            annotation = _applied(get_origin(annotation), get_args(annotation))
        elif is_qualified(annotation):
            (annotation,) = get_args(annotation)
        else:
            return annotation, notes


def _is_alias(annotation: object) -> bool:
    """Tell whether an object was made by ``type X = ...``, or by its backport."""
    return type(annotation).__name__ == "TypeAliasType"


def _applied(alias: Any, arguments: tuple[Any, ...]) -> Any:
    """Replace the parameters of a generic alias by its arguments."""
    value, given = alias.__value__, dict(zip(alias.__type_params__, arguments, strict=False))
    free = getattr(value, "__parameters__", ())
    if not free:
        return given.get(value, value) if isinstance(value, TypeVar) else value
    return value[tuple(given.get(each, each) for each in free)]


def is_qualified(annotation: object) -> bool:
    """Tell whether an annotation is ``Final[T]`` or ``ReadOnly[T]``, which mean ``T`` here."""
    return str(get_origin(annotation)) in _QUALIFIERS


def is_bare_qualifier(annotation: object) -> bool:
    """Tell whether an annotation is `Final` or `ReadOnly` without a type."""
    return annotation is Final or str(annotation) in _QUALIFIERS


def check_notes(notes: Iterable[object], path: str = "") -> None:
    """Refuse the notes that limit values.

    Raises:
        UnsupportedType: a note limits values.
    """
    for note in notes:
        for limit in _limits_in(note):
            raise UnsupportedType(
                f"{_shown(limit)} limits the values, and farcall does not enforce limits yet",
                "remove it from the annotation, and check the values in the method",
                path,
                rule="constraint",
            )


def _limits_in(note: Any) -> Iterator[object]:
    """Yield a note that is a constraint, or the constraints in it."""
    if isinstance(note, msgspec.Meta):
        if any(getattr(note, name) is not None for name in _LIMITS_OF_META):
            yield note
    elif isinstance(note, slice):  # annotated-types reads it as a `Len`
        yield note
    elif _is_a(note, "pydantic.fields", "FieldInfo"):
        for part in note.metadata:
            yield from _limits_in(part)
    elif _is_a(note, "annotated_types", "GroupedMetadata"):
        for part in note:
            yield from _limits_in(part)
    elif _is_constraint(note):
        yield note


def _is_constraint(note: object) -> bool:
    cls = type(note)
    if f"{cls.__module__}.{cls.__name__}" in _ALLOWED:
        return False
    return (
        _is_a(note, "annotated_types", "BaseMetadata")
        or cls.__module__ in _VALIDATORS
        or cls.__name__ == "_AndValidator"
        or (cls.__module__.startswith("pydantic.") and cls.__name__ in _OF_PYDANTIC)
    )


def _is_a(note: object, module: str, name: str) -> bool:
    """Tell whether a note is an instance of a class, without importing the package of that."""
    cls = getattr(sys.modules.get(module), name, None)
    return isinstance(cls, type) and isinstance(note, cls)


def _shown(note: object) -> str:
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(note))
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
