"""Callers always pass an upload, so it has no default."""

from collections.abc import AsyncIterable

from farcall import service


@service
class Market:
    async def place(self, orders: AsyncIterable[str] = None) -> int:  # type: ignore[assignment]  # noqa: RUF013
        return 0
