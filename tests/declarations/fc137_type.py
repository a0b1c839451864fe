"""A type has a name that Python code can use, for it stands in the source of a stub."""

from typing import TypedDict

from farcall import service

Headers = TypedDict("my-headers", {"length": int})  # noqa: UP013


@service
class Market:
    async def headers(self) -> Headers:
        return {"length": 1}
