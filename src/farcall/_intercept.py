"""Interceptors: functions around calls, the same on both sides and for all that a call can be.

What lasts as long as a block, a stream or a subscription, lasts as long as `Proceed` does.
"""

from __future__ import annotations

import functools
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
    left = trio.Event()

    async def run(*, task_status: trio.TaskStatus[T]) -> None:
        has_proceeded = False

        async def core() -> None:
            nonlocal has_proceeded
            if has_proceeded:
                raise proceeded_twice(call)
            async with begin() as opened:
                has_proceeded = True
                task_status.started(opened)
                await left.wait()

        await intercepted(interceptors, call, core)
        check_proceeded(call, has_proceeded)

    async with open_owned_nursery() as nursery:
        opened: T = await nursery.start(run)
        try:
            yield opened
        finally:
            left.set()


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
