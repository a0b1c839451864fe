"""A service is not generic: its contract has one type for each part."""

from typing import Generic, TypeVar

from farcall import service

T = TypeVar("T")


@service
class Shelf(Generic[T]):
    async def get(self, key: str) -> T:
        raise KeyError(key)
