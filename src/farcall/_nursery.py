"""Exceptions that leave a task: out of nurseries of farcall, and out of code of the user.

Trio wraps the exceptions that leave a nursery into a group. That is right if a user opened the
nursery. Around one that farcall opens users write plain ``except``, so the only exception beside
cancellations replaces its group.

Code of the user may raise anything, also exceptions that do not derive from `Exception`: libraries
written in Rust do, on input that they do not expect. Even then only one peer is concerned.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, NoReturn, TypeGuard

import trio

from farcall._scopes import effective_deadline

logger = logging.getLogger("farcall")


class OwnedNursery(AbstractAsyncContextManager[trio.Nursery]):
    """The context manager of `open_owned_nursery`; a generator would cost each link 1 KB."""

    __slots__ = ("_manager",)

    def __init__(self) -> None:
        self._manager = trio.open_nursery()

    async def __aenter__(self) -> trio.Nursery:
        return await self._manager.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> bool | None:
        try:
            return await self._manager.__aexit__(kind, exc, traceback)
        except BaseExceptionGroup as group:
            single = _single(group)
            if single is None:
                raise
            if single is exc:
                return False
            # Without the group, which adds nothing to the traceback.
            reraise(single)


def open_owned_nursery() -> OwnedNursery:
    """Open a nursery whose single exception leaves it as it is.

    Cancellation: as for `trio.open_nursery`.
    """
    return OwnedNursery()


async def leave_generator(
    generator: AsyncGenerator[object, Any], exc: BaseException, scope: trio.CancelScope
) -> None:
    """Cancel an async generator at its yield, because the code that used the value has failed.

    `aclose` would raise `GeneratorExit` at the yield, which a nursery around it wraps in a group.
    And if a task in a nursery of the generator fails, the nursery cancels the code that drives the
    generator, too, for that runs within its scope: only the generator can raise the failure.

    Args:
        generator: It has yielded.
        exc: The exception since then.
        scope: Opened in this task before the generator's first step.

    Raises:
        BaseException: `exc`, or what the generator raises in its place; nothing, if `exc` is a
            cancellation with which the generator has ended.
        RuntimeError: the generator yields again.
    """
    cancelled = exc if isinstance(exc, trio.Cancelled) else await _cancelled_in(scope)
    try:
        await generator.athrow(cancelled)
    except StopAsyncIteration:
        pass
    except BaseException as raised:
        if exc is not cancelled and is_cancelled(raised):
            raise exc from None
        raise
    else:
        await generator.aclose()
        raise RuntimeError("an async generator yielded although it was cancelled") from exc
    if exc is not cancelled:
        raise exc


async def _cancelled_in(scope: trio.CancelScope) -> trio.Cancelled:
    """Cancel a scope around the current code, and return the exception."""
    scope.cancel()
    try:
        await trio.lowlevel.checkpoint()
    except trio.Cancelled as cancelled:
        return cancelled
    raise AssertionError("the scope is not around this code")


def reraise(exc: BaseException) -> NoReturn:
    """Raise an exception without the handled one as its context."""
    context = exc.__context__
    try:
        raise exc
    finally:
        exc.__context__ = context
        del exc, context


def _single(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """Find the only exception of a group; a group in it, which the user raised, stays whole."""
    errors = [exc for exc in group.exceptions if not is_cancelled(exc)]
    if not errors:
        return next(leaves(group))
    return errors[0] if len(errors) == 1 else None


def is_group(exc: BaseException | None) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    """Tell whether an exception is a group, also to type checkers: a bare check leaves `Any`."""
    return isinstance(exc, BaseExceptionGroup)


def ends_program(exc: BaseException) -> bool:
    """Tell whether an exception, or one in a group, ends the program."""
    return any(isinstance(leaf, KeyboardInterrupt | SystemExit) for leaf in leaves(exc))


def must_leave(exc: BaseException) -> BaseException | None:
    """Find the exception in a failure of the user's code that must leave the task, if any.

    It is one that ends the program, or the cancellation of a scope around the task. Any other
    `trio.Cancelled` was stored, or made, by that code, and no scope would catch it.
    """
    if ends_program(exc):
        return exc
    if effective_deadline() != -math.inf:
        return None
    return next((leaf for leaf in leaves(exc) if isinstance(leaf, trio.Cancelled)), None)


def let_leave(exc: BaseException) -> None:
    """Raise the exception in a failure of the user's code that must leave the task, if any.

    An error beside a cancellation is logged, for no caller gets it.

    Raises:
        BaseException: see `must_leave`.
    """
    rest = must_leave(exc)
    if rest is None:
        return
    if isinstance(rest, trio.Cancelled) and not is_cancelled(exc):
        logger.error("this failed, too, when it was cancelled", exc_info=exc)
    reraise(rest)


def is_cancelled(exc: BaseException) -> bool:
    """Tell whether an exception is a cancellation, or a group of nothing else."""
    return all(isinstance(leaf, trio.Cancelled) for leaf in leaves(exc))


def leaves(exc: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions of a group, at any depth; an exception that is not a group itself."""
    # Not recursive: a group may have more levels than the stack allows.
    waiting = [exc]
    while waiting:
        each = waiting.pop()
        if is_group(each):
            waiting += reversed(each.exceptions)
        else:
            yield each
