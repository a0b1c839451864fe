"""Interceptors: functions around calls, streams and subscriptions, the same on both sides.

`Proceed` lasts as long as what it makes: a call until its result, a stream or a subscription until
its block ends.
"""

from __future__ import annotations

import functools
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

import trio
from msgspec import Struct

from farcall._context import CallContext, CallKind
from farcall._nursery import is_cancelled, is_group, leaves, open_owned_nursery, reraise
from farcall._scopes import effective_deadline
from farcall._usage.options import check_async, check_several

T = TypeVar("T")

Proceed: TypeAlias = Callable[[], Awaitable[Any]]
"""Make the call: return its result, or raise its error.

For a stream or a subscription it returns None when that ends, or raises its error: on the serving
side the error of the generator, on the calling side the error of the block, or else the failure
that the block got and handled.

An interceptor may call it again to repeat the call, unless something has begun that cannot be
repeated: a stream, a subscription, a remote task, an iterator among the arguments."""

Interceptor: TypeAlias = Callable[[CallContext, Proceed], Awaitable[Any]]
"""``async def f(call, proceed)`` runs around each call, and returns the result of
``await proceed()`` or another one, or raises. For a stream or a subscription the result is ignored;
an error of the block can be replaced by another one, and not swallowed."""

Open: TypeAlias = Callable[[], AbstractAsyncContextManager[T]]
"""Opens a stream or a subscription."""

Failure: TypeAlias = Callable[[T], BaseException | None]
"""Returns the failure of a stream or a subscription, if its reader got one."""


def check_interceptors(name: str, interceptors: Sequence[object]) -> None:
    """Check a list of interceptors.

    Raises:
        TypeError: it is not a list, or an element is not an async function with two parameters.
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
    """Run a block with interceptors around it; `Proceed` ends with the block, and with its error.

    The interceptors run in a task beside the block, so that their own scopes do not cross it.

    Raises:
        RuntimeError: an interceptor has returned without proceeding.
        Exception: an error of an interceptor, also after the block, whose error it then replaces.
    """
    block = _Block()
    once = Once(call.kind, call.method)
    values: list[T] = []
    begun = trio.Event()

    async def core() -> None:
        once.check(block.raised)
        async with begin() as opened:
            once.is_done = True
            values.append(opened)
            begun.set()
            await _wait_left(block.left, nursery)
            block.raise_outcome(failure(opened))

    async def run() -> None:
        with block.keep_own_error():
            await intercepted(interceptors, call, core)
            once.check_done()

    try:
        async with open_owned_nursery() as nursery:
            nursery.start_soon(run)
            with block:
                # Not `Nursery.start`: cancelled, it would wait for a task that waits for the block.
                await begun.wait()
                yield values[0]
    except BaseException:
        if block.replacement is None:
            raise
        reraise(block.replacement)


class _Block:
    """How a block with interceptors around it ended, and what they made of its error."""

    def __init__(self) -> None:
        self.left = trio.Event()
        self._error: BaseException | None = None
        self.raised: BaseException | None = None
        """The error that `Proceed` has raised."""
        self.replacement: BaseException | None = None
        """The error of an interceptor that replaces the error of the block."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _type: object, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._error = error
        self.left.set()

    def raise_outcome(self, failure: BaseException | None) -> None:
        """Raise the error of the block, or else the failure that it handled, if any."""
        self.raised = failure if self._error is None else self._error
        if self.raised is not None:
            raise self.raised

    @contextmanager
    def keep_own_error(self) -> Iterator[None]:
        """Hold back errors of the interceptors that are the block's own, or that it handled."""
        try:
            yield
        except BaseException as exc:  # noqa: BLE001 - any of them may be the block's own
            rest = _without(self.raised, exc)
            if rest is None:
                return
            if self._error is None or is_cancelled(rest):
                reraise(rest)
            self.replacement = rest


def _without(known: BaseException | None, exc: BaseException) -> BaseException | None:
    """Remove an exception from another one that may be a group; return the rest, if any."""
    if known is None:
        return exc
    if _is_same(known, exc):
        return None
    if is_group(exc):
        return exc.split(lambda each: _is_same(known, each))[1]
    return exc


def _is_same(known: BaseException, exc: BaseException) -> bool:
    """Tell whether two exceptions are the same, or copies of a group, as nurseries make."""
    if exc is known:
        return True
    if not (is_group(known) and is_group(exc)):
        return False
    # The leaves are never copied; they are compared by identity, for they may define `__eq__`.
    return (
        type(known) is type(exc)
        and known.message == exc.message
        and list(map(id, leaves(known))) == list(map(id, leaves(exc)))
    )


async def _wait_left(left: trio.Event, around: trio.Nursery) -> None:
    """Wait until the block has ended, even if a scope around the block is cancelled.

    The block may be in a shield, or about to take a value that came first: its stream must stay
    open until it ends, as without interceptors. A cancelled scope of an interceptor does not wait.
    """
    try:
        await left.wait()
    except trio.Cancelled:
        with trio.CancelScope(shield=True):
            if await _is_cancelled(around):
                await left.wait()
        raise


async def _is_cancelled(nursery: trio.Nursery) -> bool:
    """Tell whether a nursery is cancelled, rather than a scope within it."""
    found: list[bool] = []
    has_looked = trio.Event()

    async def look() -> None:
        found.append(effective_deadline() == -math.inf)
        has_looked.set()

    nursery.start_soon(look)
    await has_looked.wait()
    return found[0]


class Once(Struct, eq=False):
    """Whether a part of a call that cannot be repeated has begun, over all tries of interceptors.

    Args:
        kind: Of the call.
        method: Its wire name.
    """

    kind: CallKind
    method: str
    is_done: bool = False

    def check(self, cause: BaseException | None = None) -> None:
        """Refuse another try after that part has begun.

        Raises:
            RuntimeError: it has; from `cause`, if there is one.
        """
        if self.is_done:
            raise RuntimeError(
                f"an interceptor proceeded again with the {self.kind} of {self.method}, which has"
                f" begun already; only a {self.kind} that has not begun can be tried again"
            ) from cause

    def check_done(self) -> None:
        """Refuse a stream or a subscription that its interceptors have not begun.

        Raises:
            RuntimeError: an interceptor has returned without proceeding.
        """
        if not self.is_done:
            raise RuntimeError(
                f"an interceptor returned without proceeding, so there is no {self.kind} of"
                f" {self.method}; raise an error to refuse it"
            )
