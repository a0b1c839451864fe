"""Interceptors: functions around calls, the same on both sides and for all that a call can be.

What lasts as long as a block, a stream or a subscription, lasts as long as `Proceed` does.
"""

from __future__ import annotations

import functools
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias, TypeVar

import trio

from farcall._call import CallContext
from farcall._nursery import open_owned_nursery

T = TypeVar("T")

Proceed: TypeAlias = Callable[[], Awaitable[Any]]
"""Go on with a call: it returns the result, or raises what the call ended with.

That of a stream or a subscription returns None when it is over. It raises where there is none, and
may be called again then; once the stream or subscription has begun it may not."""

Interceptor: TypeAlias = Callable[[CallContext, Proceed], Awaitable[Any]]
"""``async def f(call, proceed)`` stands around calls, and returns what ``await proceed()`` gave,
or something else, or raises. What it returns of a stream or a subscription counts for nothing."""

Open: TypeAlias = Callable[[], AbstractAsyncContextManager[T]]
"""Begin what lasts as long as a block: a stream, or a subscription."""


async def intercepted(interceptors: Iterable[Interceptor], call: CallContext, core: Proceed) -> Any:
    """Run `core` with interceptors around it, the first one outermost."""
    proceed = core
    for interceptor in reversed(tuple(interceptors)):
        proceed = functools.partial(interceptor, call, proceed)
    return await proceed()


@asynccontextmanager
async def intercepted_scope(
    interceptors: Iterable[Interceptor], call: CallContext, begin: Open[T]
) -> AsyncIterator[T]:
    """Run a block with interceptors around it: `Proceed` returns when the block is left.

    The interceptors run in a task beside the block, so that what they open is theirs to close.

    Raises:
        RuntimeError: an interceptor has returned without proceeding.
        Exception: what an interceptor raised, also after the block was left.
    """
    values: list[T] = []
    begun, left = trio.Event(), trio.Event()

    async def core() -> None:
        if values:
            raise proceeded_twice(call)
        async with begin() as opened:
            values.append(opened)
            begun.set()
            await _wait_left(left, nursery)

    async def run() -> None:
        await intercepted(interceptors, call, core)
        check_proceeded(call, bool(values))

    async with open_owned_nursery() as nursery:
        nursery.start_soon(run)
        try:
            # Not Nursery.start: cancelled, it would wait for a task that waits for the block.
            await begun.wait()
            yield values[0]
        finally:
            left.set()


async def _wait_left(left: trio.Event, around: trio.Nursery) -> None:
    """Wait until the block is left, whoever is cancelled together with it.

    The block may be in a shield, or about to take a value that came first: what it reads from is
    closed behind it, as if it stood alone. An interceptor that ends its own scope does not wait.
    """
    try:
        await left.wait()
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            if await _is_cancelled(around):
                await left.wait()
        raise


async def _is_cancelled(nursery: trio.Nursery) -> bool:
    """Tell whether a nursery is cancelled, rather than a scope inside of it."""
    answers: list[bool] = []
    answered = trio.Event()

    async def look() -> None:
        answers.append(trio.current_effective_deadline() == -math.inf)
        answered.set()

    nursery.start_soon(look)
    await answered.wait()
    return answers[0]


def check_proceeded(call: CallContext, has_proceeded: bool) -> None:
    """Refuse to go on with a stream or a subscription that there is none of.

    Raises:
        RuntimeError: no interceptor has raised, and not all of them have proceeded.
    """
    if not has_proceeded:
        raise RuntimeError(
            f"an interceptor returned without proceeding, so there is no {call.kind} of"
            f" {call.method}; raise an error to refuse it"
        )


def proceeded_twice(call: CallContext) -> RuntimeError:
    """Make the error for an interceptor that proceeds again with what cannot begin twice."""
    return RuntimeError(
        f"an interceptor proceeded again with the {call.kind} of {call.method}, which has begun"
        " already; only one that could not begin can be tried again"
    )
