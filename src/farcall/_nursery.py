"""What may leave a task: a nursery that its user need not know about, and code of the user.

Trio wraps whatever leaves a nursery into an exception group. That is right where a user opened
the nursery; where it is an inner matter, users write plain ``except``, so a group that holds just
one exception, beside cancellations, gives way to it.

Code of the user may raise anything, also what does not derive from `Exception`: libraries written
in Rust do that on input that they do not expect. It is about one peer all the same.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn, TypeGuard

import trio

logger = logging.getLogger("farcall")


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


async def leave_generator(
    generator: AsyncGenerator[object, Any], exc: BaseException, scope: trio.CancelScope
) -> None:
    """Cancel an async generator where it stands, because what was done with its value has failed.

    `aclose` raises `GeneratorExit` at its yield, and a nursery around that wraps it in a group.
    And a nursery of the generator whose task has failed cancels the code that drives the generator
    as well, for that runs within its scope: only the generator can turn that into the failure.

    Args:
        generator: It has yielded.
        exc: What was raised since then.
        scope: Opened in this task before the generator's first step.

    Raises:
        BaseException: `exc`, or what the generator raises in its place. Where `exc` is a
            cancellation that the generator has turned into its end, nothing.
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
    """Cancel a scope that is around the current code, and give what says so."""
    scope.cancel()
    try:
        await trio.lowlevel.checkpoint()
    except trio.Cancelled as cancelled:
        return cancelled
    raise AssertionError("the scope is not around this code")


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


def is_group(exc: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    """Tell whether an exception is a group, also to type checkers: a bare check leaves `Any`."""
    return isinstance(exc, BaseExceptionGroup)


def ends_program(exc: BaseException) -> bool:
    """Tell whether an exception, or one in a group, is the end of the program."""
    return any(isinstance(leaf, KeyboardInterrupt | SystemExit) for leaf in leaves(exc))


def must_leave(exc: BaseException) -> BaseException | None:
    """Find what of a failure of the user's code has to leave the task that ran it.

    That is the end of the program, and the cancellation of a scope around the task. Any other
    `trio.Cancelled` was kept, or made, by that code, and Trio would pass it on for ever.
    """
    if ends_program(exc):
        return exc
    if trio.current_effective_deadline() != -math.inf:
        return None
    return next((leaf for leaf in leaves(exc) if isinstance(leaf, trio.Cancelled)), None)


def let_leave(exc: BaseException) -> None:
    """Raise what of a failure of the user's code has to leave the task, if anything.

    What failed beside a cancellation is logged, for nobody else hears of it.

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
    """Give what a group consists of, at whatever depth; of another exception itself."""
    # No recursion: a group may have more levels than the stack has room for.
    waiting = [exc]
    while waiting:
        each = waiting.pop()
        if is_group(each):
            waiting += reversed(each.exceptions)
        else:
            yield each
