"""A decorator must keep the parameters of the method that it wraps."""

from collections.abc import Callable
from typing import Any

from farcall import service


def logged(method: Callable[..., Any]) -> Callable[..., Any]:
    async def wrapper(*args: Any) -> Any:
        return await method(*args)

    return wrapper


@service
class Market:
    @logged
    async def quote(self, symbol: str) -> float:
        return 1.0
