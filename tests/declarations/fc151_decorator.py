"""The server drives the generator of a stream, so no other decorator may wrap it."""

from collections.abc import AsyncIterator, Callable
from functools import wraps
from typing import Any

from farcall import service, stream


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


@service
class Market:
    @logged
    @stream
    async def history(self, symbol: str) -> AsyncIterator[float]:
        yield 1.0
