"""Whether a value can change once it is made: then it can be shared."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from enum import Enum
from typing import Final, cast

import attrs

from farcall._contract.scalars import SCALARS
from farcall._contract.traits import is_frozen

_SCALARS: Final = (Enum, *(each.cls for each in SCALARS.values() if each.name != "json"))


def can_be_shared(value: object) -> bool:
    """Tell whether neither a value nor anything in it can change.

    That holds for scalars, and for tuples, frozen sets and frozen records of nothing else.
    """
    if isinstance(value, _SCALARS):
        return True
    if isinstance(value, tuple | frozenset):
        return all(map(can_be_shared, cast("Iterable[object]", value)))
    cls = type(value)
    if not (_is_record(cls) and is_frozen(cls)):
        return False
    return all(can_be_shared(getattr(value, name)) for name in _fields(cls))


def _fields(cls: type) -> Iterable[str]:
    if attrs.has(cls):
        return [field.name for field in attrs.fields(cls)]
    return [field.name for field in dataclasses.fields(cls)]


def _is_record(cls: type) -> bool:
    return attrs.has(cls) or dataclasses.is_dataclass(cls)
