"""A service that fails in any way that a test needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import attrs
import trio

from farcall import ApplicationError, local, method, service


@attrs.define
class Broken(ApplicationError):
    part: str


@attrs.frozen
class Worn(ApplicationError):
    by: int = 0


@attrs.define
class Mute(ApplicationError):
    part: str

    def __str__(self) -> str:
        raise ValueError("no words")


@attrs.define
class Secret(ApplicationError):
    word: str


@service
class Workshop:
    """Its methods raise what `fails_with` returns."""

    def __init__(self, fails_with: Callable[[], object]) -> None:
        self._fails_with = fails_with

    @local
    def fail(self) -> None:
        found = self._fails_with()
        if isinstance(found, BaseException):
            raise found from found.__cause__

    @method(raises=[Broken, Worn, Mute])
    async def work(self) -> None:
        self.fail()

    @method(raises=[Broken, Worn])
    def work_inline(self) -> None:
        self.fail()

    @method(raises=[Broken])
    async def work_until_cancelled(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                await trio.sleep_forever()
            finally:
                self.fail()

    async def healthy(self) -> str:
        return "fine"


def caused(error: Exception, cause: BaseException) -> Exception:
    """Return the exception of ``raise error from cause``."""
    error.__cause__ = cause
    return error


def nested(levels: int, leaf: Exception) -> Exception:
    """Wrap an exception in that many groups."""
    for level in range(levels, 0, -1):
        leaf = ExceptionGroup(f"level {level}", [leaf])
    return leaf


def parts(exc: object) -> list[Any]:
    """Return the exceptions of a group; none for a single exception."""
    if not isinstance(exc, BaseExceptionGroup):
        return []
    return list(cast("BaseExceptionGroup[BaseException]", exc).exceptions)


def leaves(exc: object) -> list[Any]:
    """Iterate over the single exceptions in a group of groups."""
    found = parts(exc)
    return [leaf for each in found for leaf in leaves(each)] if found else [exc]


def depth(exc: object) -> int:
    """Count groups in groups."""
    found = parts(exc)
    return 1 + max(map(depth, found)) if found else 0
