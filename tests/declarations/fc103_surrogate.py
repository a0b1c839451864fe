"""Half of a surrogate pair is in no UTF-8 text, so no key, member or literal has one."""

from typing import Literal

from farcall import service


@service
class Market:
    async def close(self, why: Literal["\ud83d"]) -> None: ...
