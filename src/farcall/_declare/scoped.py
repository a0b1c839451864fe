"""What a `@stream` method is to local callers: a context manager around its generator.

The server drives the generator itself, so that it sees when the reader has room. Everyone else
gets the same shape as callers far away.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import ParamSpec, TypeVar, cast

import trio

from farcall._opening import Opening, advice_on_stream

P = ParamSpec("P")
T = TypeVar("T")


def scoped(
    generator: Callable[P, AsyncIterable[T]],
) -> Callable[P, AbstractAsyncContextManager[AsyncIterator[T]]]:
    """Let a generator run inside of an ``async with`` block, which ends it.

    An async generator that is handed out raw runs its ``finally`` whenever it is collected, and
    its scopes and nurseries in whatever task asks for the next item (PEP 789).

    Args:
        generator: The async generator function, whatever its annotation calls it.

    Returns:
        A function of the same parameters, whose ``__wrapped__`` is `generator`.

    Cancellation:
        Left for whatever reason, the block cancels the generator and waits until it has ended.
    """
    opened = trio.as_safe_channel(cast("Callable[P, AsyncGenerator[T, None]]", generator))

    @functools.wraps(generator)
    def open_(*args: P.args, **kwargs: P.kwargs) -> AbstractAsyncContextManager[AsyncIterator[T]]:
        return Opening(opened(*args, **kwargs), advice)

    name = generator.__qualname__.rpartition("<locals>.")[2]
    advice = advice_on_stream(name, f"...{generator.__name__}(...)")
    return open_
