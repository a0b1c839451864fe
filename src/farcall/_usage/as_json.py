"""Values written like JSON, for messages that people read.

Unlike the codec, it knows no declared types and accepts every value: a message about an error must
not fail itself. Fields that a record hides from its repr are hidden here as well.
"""

from __future__ import annotations

import dataclasses
import json
import re
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from datetime import date, time, timedelta
from enum import Enum
from typing import Any, TypeGuard

import attrs

MAX_SHOWN = 200
"""Characters of one value in a message; the whole value is in the data of the error."""

_MAX_LEVELS = 16
"""Deeper levels are cut: a value may contain itself."""

_BARE = re.compile(r"[\w.:@/+-]+")
"""Texts that can stand in a sentence without quotes."""


def fields_as_json(record: object) -> Iterator[tuple[str, str]]:
    """Yield the fields of an attrs object that its repr shows, each with its value as text."""
    for field in attrs.fields(_class_of(record)):
        if field.repr:
            write = field.repr if callable(field.repr) else as_json
            yield field.name, str(write(getattr(record, field.name)))


def as_json(value: object) -> str:
    """Write a value as JSON; a simple text gets no quotes."""
    plain = _plain(value, _MAX_LEVELS)
    is_bare = isinstance(plain, str) and _is_bare(plain)
    text = plain if is_bare else json.dumps(plain, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _is_bare(text: str) -> bool:
    """Say whether a text is clear without quotes, unlike ``"1"`` and ``"null"``."""
    if _BARE.fullmatch(text) is None:
        return False
    try:
        json.loads(text)
    except ValueError:
        return True
    return False


def _plain(value: Any, levels: int) -> Any:
    if levels == 0:
        return "…"
    if isinstance(value, Enum):
        return _plain(value.value, levels)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    for kinds, form in _FORMS:
        if isinstance(value, kinds):
            return form(value)
    return _plain_container(value, levels - 1)


def _plain_container(value: Any, levels: int) -> Any:
    fields = _fields(value)
    if fields is not None:
        return {name: _plain(getattr(value, name), levels) for name in fields}
    if _is_table(value):
        return {str(_plain(key, levels)): _plain(each, levels) for key, each in value.items()}
    if _is_collection(value):
        return [_plain(each, levels) for each in value]
    return str(value)


def _fields(value: Any) -> Sequence[str] | None:
    """List the fields that a record shows; None for another value."""
    cls = _class_of(value)
    if attrs.has(cls):
        return [field.name for field in attrs.fields(cls) if field.repr]
    if hasattr(cls, "__dataclass_fields__"):
        return [field.name for field in dataclasses.fields(cls) if field.repr]
    return getattr(cls, "_fields", None) if tuple in cls.__mro__ else None


def _class_of(value: object) -> type[Any]:
    return type(value)


def _is_table(value: object) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _is_collection(value: object) -> TypeGuard[Collection[Any]]:
    return isinstance(value, Sequence | Set)


_FORMS: Sequence[tuple[type | tuple[type, ...], Callable[[Any], object]]] = (
    ((bytes, bytearray), lambda value: b64encode(value).decode()),
    ((date, time), lambda value: value.isoformat()),
    (timedelta, timedelta.total_seconds),
)
