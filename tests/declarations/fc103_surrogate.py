"""A key, member or literal cannot contain a lone surrogate, which UTF-8 cannot encode."""

from typing import Literal

from farcall import service


@service
class Market:
    async def close(self, why: Literal["\ud83d"]) -> None: ...
