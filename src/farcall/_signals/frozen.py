"""Values that cannot change, and so may be shared between subscribers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from enum import Enum
from typing import Final, cast

import attrs

from farcall._contract.scalars import SCALARS, scalar_of
from farcall._contract.traits import is_frozen

_LOADED: Final = (
    Enum,
    *(each.loaded for each in SCALARS.values() if each.loaded is not None and each.name != "json"),
)
"""The classes of scalars, but for those that are imported only for a program that uses them."""


def can_be_shared(value: object) -> bool:
    """Tell whether neither a value nor anything in it can change.

    This holds for scalars, and for tuples, frozen sets and frozen records of such values.
    """
    if isinstance(value, _LOADED) or scalar_of(type(value)) is SCALARS["zoneinfo"]:
        return True
    if isinstance(value, tuple | frozenset):
        return all(map(can_be_shared, cast("Iterable[object]", value)))
    cls = type(value)
    if attrs.has(cls):
        names = [field.name for field in attrs.fields(cls)]
    elif dataclasses.is_dataclass(cls):
        names = [field.name for field in dataclasses.fields(cls)]
    else:
        return False
    return is_frozen(cls) and all(can_be_shared(getattr(value, name)) for name in names)
