"""`@stream`: an async generator as an endpoint, and as a context manager for local callers.

The server drives the generator itself, one item at a time, as the reader has room. Local callers
get a context manager, as remote callers do.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Set
from contextlib import AbstractAsyncContextManager
from inspect import isasyncgenfunction, unwrap
from types import FunctionType
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

import trio

from farcall._declare.access import read_access
from farcall._declare.marks import (
    Marks,
    attach_marks,
    check_unmarked,
    errors_listed,
    marks_of,
    site_to_mark,
)
from farcall._declare.rules import Rule
from farcall._declare.sites import Site
from farcall._usage.opening import Opening, advice_on_stream
from farcall._usage.options import check_flag, check_int, optional
from farcall.errors import ApplicationError, DeclarationError

P = ParamSpec("P")
T = TypeVar("T")


def scoped(
    generator: Callable[P, AsyncIterable[T]],
) -> Callable[P, AbstractAsyncContextManager[AsyncIterator[T]]]:
    """Run a generator inside of an ``async with`` block, which ends it.

    A raw async generator runs its ``finally`` when it is garbage-collected, and its scopes and
    nurseries in any task that asks for the next item (PEP 789).

    Args:
        generator: The async generator function; its annotation may be any async iterable.

    Returns:
        A function of the same parameters, whose ``__wrapped__`` is `generator`.

    Cancellation:
        At its end, the block cancels the generator and waits until it has ended.
    """
    opened = trio.as_safe_channel(cast("Callable[P, AsyncGenerator[T, None]]", generator))

    @functools.wraps(generator)
    def open_(*args: P.args, **kwargs: P.kwargs) -> AbstractAsyncContextManager[AsyncIterator[T]]:
        return Opening(opened(*args, **kwargs), advice)

    name = generator.__qualname__.rpartition("<locals>.")[2]
    advice = advice_on_stream(name, f"...{generator.__name__}(...)")
    return open_


class StreamDecorator(Protocol):
    """The result of `stream` with options."""

    def __call__(
        self, function: Callable[P, AsyncIterable[T]], /
    ) -> Callable[P, AbstractAsyncContextManager[AsyncIterator[T]]]: ...


@overload
def stream(
    function: Callable[P, AsyncIterable[T]], /
) -> Callable[P, AbstractAsyncContextManager[AsyncIterator[T]]]: ...
@overload
def stream(
    *,
    name: str | None = None,
    raises: Iterable[type[ApplicationError]] = (),
    protected: bool | None = None,
    roles: Set[str] = frozenset(),
    max_concurrent: int | None = None,
) -> StreamDecorator: ...
def stream(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    raises: Iterable[type[ApplicationError]] = (),
    protected: bool | None = None,
    roles: Set[str] = frozenset(),
    max_concurrent: int | None = None,
    **options: object,
) -> Any:
    """Make an async generator an endpoint whose items cross one by one, as the caller reads them.

    Args:
        function: The async generator, if the decorator is used without parentheses.
        name: The whole name on the wire, in place of ``Service.member``.
        raises: The errors that cross the wire as themselves, with their fields.
        protected: As for `method`.
        roles: As for `method`.
        max_concurrent: As for `method`; a stream runs until its caller leaves it.

    Returns:
        A function that returns an async context manager of an async iterator, as proxies do; or a
        decorator that returns such a function. Its ``__wrapped__`` is the generator.

    Raises:
        DeclarationError: It is not an async generator, or an option is wrong.

    Cancellation:
        Leaving the ``async with`` block ends the generator, and waits until its ``finally`` has
        run.

    >>> import trio
    >>> from farcall import service
    >>> @service
    ... class Counter:
    ...     @stream
    ...     async def count(self, to: int) -> AsyncIterator[int]:
    ...         for number in range(to):
    ...             yield number
    >>> async def main() -> None:
    ...     async with Counter().count(3) as numbers:
    ...         print([number async for number in numbers])
    >>> trio.run(main)
    [0, 1, 2]
    """
    optional(check_flag)("protected=", protected)
    optional(check_int)("max_concurrent=", max_concurrent, least=1)

    def mark(function: Callable[..., Any]) -> Any:
        site = site_to_mark(function, "@stream")
        check_unmarked(function, site, "stream")
        _check_generator(function, site)
        _check_options(options, site)
        marks = Marks(
            "stream",
            name,
            errors_listed(site, raises),
            access=read_access(site, protected, roles),
            max_concurrent=max_concurrent,
        )
        return attach_marks(scoped(function), site, marks)

    return mark if function is None else mark(function)


def _check_generator(function: Callable[..., Any], site: Site) -> None:
    if isasyncgenfunction(function):
        return
    if isasyncgenfunction(unwrap(function)):
        raise _hidden(site)
    raise site.error(
        Rule.NO_STREAM,
        "@stream decorates async generators, but this is not one",
        "Write an async def that yields the items, or remove @stream",
    )


_NO_OPTIONS = {
    "oneway": "a stream sends items back, and a one-way call gets no response",
    "thread": "an async generator cannot run in a worker thread",
    "ordered": "a stream lasts as long as it is read, so streams cannot run one at a time",
    "idempotent": "a broken stream is not repeated",
    "max_seconds": "a stream lasts until its caller leaves it",
}


def _check_options(options: Iterable[str], site: Site) -> None:
    for option in options:
        if option not in _NO_OPTIONS:
            raise TypeError(f"stream() got an unexpected keyword argument {option!r}")
        problem = f"@stream does not take {option}=: {_NO_OPTIONS[option]}"
        raise site.error(Rule.STREAM_OPTION, problem, f"Remove {option}=")


def is_stream(function: FunctionType) -> bool:
    """Say whether `stream` has made a function, and no other decorator is on top of it."""
    marks = marks_of(function)
    if marks is None or marks.kind != "stream":
        return False
    # `functools.wraps` copies the marks to a wrapper.
    return marks_of(getattr(function, "__wrapped__", None)) is None


def check_stream(function: FunctionType, site: Site) -> None:
    """Check that a member with the marks of a stream, its own or inherited, is a stream.

    Raises:
        DeclarationError: `stream` has not made it.
    """
    if is_stream(function):
        return
    if marks_of(function) is not None:
        raise _hidden(site)
    raise site.error(
        Rule.NO_STREAM,
        "it overrides a stream, but is not one",
        "Write an async generator and decorate it with @stream",
    )


def _hidden(site: Site) -> DeclarationError:
    return site.error(
        Rule.NO_STREAM,
        "another decorator wraps this stream, but the server needs the generator itself",
        "Keep only @stream; interceptors=[...] wrap streams as well as calls",
    )
