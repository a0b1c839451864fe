"""A nursery inside of a context manager that its user need not know about.

Trio wraps whatever leaves a nursery into an exception group. That is right where a user opened
the nursery; where it is an inner matter, users write plain ``except``, so a group that holds just
one exception, beside cancellations, gives way to it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import NoReturn, cast

import trio


@asynccontextmanager
async def open_owned_nursery() -> AsyncIterator[trio.Nursery]:
    """Open a nursery whose single exception comes out as itself.

    Cancellation: that of the nursery it opens.
    """
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
    except BaseExceptionGroup as group:
        single = _single(group)
        if single is None:
            raise
        # The group would only be noise in the traceback: it says what `single` says.
        reraise(single)


def reraise(exc: BaseException) -> NoReturn:
    """Raise an exception that is not a consequence of the one that is being handled."""
    context = exc.__context__
    try:
        raise exc
    finally:
        exc.__context__ = context
        del exc, context


def _single(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """Find the one exception of the outermost group; a group that the user raised stays whole."""
    errors = [exc for exc in group.exceptions if not is_cancelled(exc)]
    if not errors:
        return next(leaves(group))
    return errors[0] if len(errors) == 1 else None


def is_cancelled(exc: BaseException) -> bool:
    """Tell whether an exception is a cancellation, or a group of nothing else."""
    return all(isinstance(leaf, trio.Cancelled) for leaf in leaves(exc))


def leaves(exc: BaseException) -> Iterator[BaseException]:
    """Give what a group consists of, at whatever depth; of another exception itself."""
    # No recursion: a group may have more levels than the stack has room for.
    waiting = [exc]
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseExceptionGroup):
            waiting += reversed(cast("BaseExceptionGroup[BaseException]", each).exceptions)
        else:
            yield each
