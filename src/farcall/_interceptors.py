"""Interceptors: functions around calls, the same on both sides and for all that a call can be.

What lasts as long as a block, a stream or a subscription, lasts as long as `Proceed` does.
"""

from __future__ import annotations

import functools
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

import attrs
import trio

from farcall._context import CallContext, CallKind
from farcall._nursery import is_cancelled, is_group, leaves, open_owned_nursery, reraise
from farcall._usage.options import check_async, check_several

T = TypeVar("T")

Proceed: TypeAlias = Callable[[], Awaitable[Any]]
"""Go on with a call: it returns the result, or raises what the call ended with.

That of a stream or a subscription lasts as long as it does, and returns None. It raises what that
ended with: on the side that serves, what the generator raised; on the other one what its block did,
or else the failure that the block was told and got over.

It may be called again, and makes the call again, unless that would be another call: a stream or a
subscription that has begun, a remote task that has started, an iterator whose items are read."""

Interceptor: TypeAlias = Callable[[CallContext, Proceed], Awaitable[Any]]
"""``async def f(call, proceed)`` stands around calls, and returns what ``await proceed()`` gave,
or something else, or raises. What it returns of a stream or a subscription counts for nothing; it
may raise another error in place of that of a block, and cannot swallow it."""

Open: TypeAlias = Callable[[], AbstractAsyncContextManager[T]]
"""Begin what lasts as long as a block: a stream, or a subscription."""

Failure: TypeAlias = Callable[[T], BaseException | None]
"""Tell what a stream or a subscription has failed with, as far as its reader was told."""


def check_interceptors(name: str, interceptors: Sequence[object]) -> None:
    """Check a list of interceptors.

    Raises:
        TypeError: it is no list, or one is no async function of a call and what proceeds.
    """
    takes = "a list of interceptors"
    write = f"{name}[interceptor]"
    check_several(name, interceptors, takes, write)
    for each in interceptors:
        check_async(
            f"each interceptor of {name}",
            each,
            ["call", "proceed"],
            "async def f(call: farcall.CallContext, proceed: farcall.Proceed) -> object",
        )


async def intercepted(interceptors: Iterable[Interceptor], call: CallContext, core: Proceed) -> Any:
    """Run `core` with interceptors around it, the first one outermost."""
    proceed = core
    for interceptor in reversed(tuple(interceptors)):
        proceed = functools.partial(interceptor, call, proceed)
    return await proceed()


@asynccontextmanager
async def intercepted_scope(
    interceptors: Iterable[Interceptor], call: CallContext, begin: Open[T], failure: Failure[T]
) -> AsyncIterator[T]:
    """Run a block with interceptors around it: `Proceed` ends when the block is left, and as it.

    The interceptors run in a task beside the block, so that what they open is theirs to close.

    Raises:
        RuntimeError: an interceptor has returned without proceeding.
        Exception: what an interceptor raised, also after the block was left, and then in place
            of what the block has raised.
    """
    block = _Block()
    once = Once(call.kind, call.method)
    values: list[T] = []
    begun = trio.Event()

    async def core() -> None:
        once.check(block.told)
        async with begin() as opened:
            once.is_done = True
            values.append(opened)
            begun.set()
            await _wait_left(block.left, nursery)
            block.tell(failure(opened))

    async def run() -> None:
        with block.keep_own_error():
            await intercepted(interceptors, call, core)
            once.check_done()

    try:
        async with open_owned_nursery() as nursery:
            nursery.start_soon(run)
            with block:
                # Not Nursery.start: cancelled, it would wait for a task that waits for the block.
                await begun.wait()
                yield values[0]
    except BaseException:
        if block.error_instead is None:
            raise
        reraise(block.error_instead)


class _Block:
    """What a block that has interceptors around it ended with, and what became of that."""

    def __init__(self) -> None:
        self.left = trio.Event()
        self._error: BaseException | None = None
        self.told: BaseException | None = None
        """What `Proceed` has raised of it."""
        self.error_instead: BaseException | None = None
        """What an interceptor has raised in place of the block's own error."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _type: object, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._error = error
        self.left.set()

    def tell(self, failure: BaseException | None) -> None:
        """Raise what the block ended with, if not well."""
        self.told = failure if self._error is None else self._error
        if self.told is not None:
            raise self.told

    @contextmanager
    def keep_own_error(self) -> Iterator[None]:
        """Let no error out of the interceptors that the block has, or has got over."""
        try:
            yield
        except BaseException as exc:  # noqa: BLE001 - whatever it is, it may be the block's own
            rest = _without(self.told, exc)
            if rest is None:
                return
            if self._error is None or is_cancelled(rest):
                reraise(rest)
            self.error_instead = rest


def _without(known: BaseException | None, exc: BaseException) -> BaseException | None:
    """Take an exception out of another one that may be a group; give what is left, if anything."""
    if known is None:
        return exc
    if _is_same(known, exc):
        return None
    if is_group(exc):
        return exc.split(lambda each: _is_same(known, each))[1]
    return exc


def _is_same(known: BaseException, exc: BaseException) -> bool:
    """Tell whether an exception is another one, or a copy of that: nurseries copy groups."""
    if exc is known:
        return True
    if not (is_group(known) and is_group(exc)):
        return False
    # The leaves themselves are never copied; their own notion of equality does not count.
    return (
        type(known) is type(exc)
        and known.message == exc.message
        and list(map(id, leaves(known))) == list(map(id, leaves(exc)))
    )


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


@attrs.define(eq=False)
class Once:
    """What of a call can be done only once, over all that its interceptors try.

    Args:
        kind: Of the call.
        method: Its wire name.
    """

    kind: CallKind
    method: str
    is_done: bool = attrs.field(default=False, init=False)

    def check(self, cause: BaseException | None = None) -> None:
        """Refuse an interceptor that proceeds again with what cannot begin twice.

        Raises:
            RuntimeError: it is done; from `cause`, if there is one.
        """
        if self.is_done:
            raise RuntimeError(
                f"an interceptor proceeded again with the {self.kind} of {self.method}, which has"
                " begun already; only one that could not begin can be tried again"
            ) from cause

    def check_done(self) -> None:
        """Refuse to go on with a stream or a subscription that has not begun.

        Raises:
            RuntimeError: no interceptor has raised, and not all of them have proceeded.
        """
        if not self.is_done:
            raise RuntimeError(
                f"an interceptor returned without proceeding, so there is no {self.kind} of"
                f" {self.method}; raise an error to refuse it"
            )
