"""How much of a tree of errors crosses the wire, whoever sends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast

MAX_LEVELS: Final = 8
"""Groups in groups, and causes of causes. One group for each nursery on the way is five or so in
deep code, and each costs three levels of the 64 that a JSON text may have."""

MAX_LEAVES: Final = 64
"""Errors in one answer that are no groups; nobody reads more of them."""

BEYOND_LEVELS: Final[Mapping[str, str | int]] = {"limit": "levels", "most": MAX_LEVELS}
BEYOND_LEAVES: Final[Mapping[str, str | int]] = {"limit": "leaves", "most": MAX_LEAVES}


def parts(group: BaseException) -> tuple[BaseException, ...] | None:
    """Give the exceptions of a group; None for what is none."""
    if not isinstance(group, BaseExceptionGroup):
        return None
    return cast("BaseExceptionGroup[BaseException]", group).exceptions


def leaves(exc: BaseException, level: int = 1) -> Iterator[BaseException]:
    """Give what crosses as one error each: single exceptions, and groups that are too deep."""
    inside = parts(exc)
    if inside is None or level > MAX_LEVELS:
        yield exc
        return
    for each in inside:
        yield from leaves(each, level + 1)
