"""Values that subscribers can share because they cannot change."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import attrs
import pytest

from farcall._signals.frozen import can_be_shared


class Colour(Enum):
    RED = 1


@attrs.frozen
class Frozen:
    inside: Any = 1


@attrs.define
class Open:
    inside: Any = 1


@dataclass(frozen=True)
class FrozenData:
    inside: Any = 1


@dataclass
class OpenData:
    inside: list[int] = field(default_factory=list)


class Named(NamedTuple):
    inside: Any


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 1, 1.5, "text", b"bytes", Decimal(1), UUID(int=1), Colour.RED),
        *(datetime.now(UTC), timedelta(1), (1, ("two",)), frozenset({1}), Named("x")),
        *(Frozen(), FrozenData(), Frozen((FrozenData(Frozen("x")),))),
    ],
)
def test_a_value_that_cannot_change(value: object) -> None:
    """Scalars, and containers and records that are frozen at every level, can be shared."""
    assert can_be_shared(value)


@pytest.mark.parametrize(
    "value",
    [
        *([], {}, set(), bytearray(), Open(), OpenData(), object()),
        *(([],), Named([]), Frozen([]), FrozenData(Open()), Frozen((Open(),))),
    ],
)
def test_a_value_that_can_change(value: object) -> None:
    """A value that can change, or that contains one, is not shared."""
    assert not can_be_shared(value)
