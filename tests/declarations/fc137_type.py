"""The name of a type must be usable in Python, because a stub contains it."""

from typing import TypedDict

from farcall import service

Headers = TypedDict("my-headers", {"length": int})  # noqa: UP013


@service
class Market:
    async def headers(self) -> Headers:
        return {"length": 1}
