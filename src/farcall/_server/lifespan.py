"""What lives as long as a server: an async context manager around its serving."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias

from farcall._usage.options import check_arity, kind_of, wrong_type

Lifespan: TypeAlias = Callable[[], AbstractAsyncContextManager[object]]
"""Called once for each server; what its context manager yields, handlers read by
`CallContext.lifespan`."""

TAKES: Final = "a function that returns an async context manager"
WRITE: Final = "@contextlib.asynccontextmanager above an async def that yields once"


def check_lifespan(name: str, value: object) -> None:
    """Check for a function without parameters that can return an async context manager.

    Raises:
        TypeError: it is of another type, or it returns something else.
    """
    if _is_manager(value):
        raise wrong_type(name, TAKES, value, "the function itself, without ()")
    is_bare = inspect.isasyncgenfunction(value) or inspect.iscoroutinefunction(value)
    if is_bare or not callable(value):
        raise wrong_type(name, TAKES, value, WRITE)
    check_arity(name, value, (), f"{TAKES}, and that has no parameters", WRITE)


def enter(lifespan: Lifespan) -> AbstractAsyncContextManager[object]:
    """Call it.

    Raises:
        TypeError: it returned something else than an async context manager.
    """
    made = lifespan()
    if not _is_manager(made):
        raise TypeError(f"lifespan= takes {TAKES}, but it returned {kind_of(made)}; write {WRITE}")
    return made


def _is_manager(value: object) -> bool:
    return hasattr(type(value), "__aenter__")
