"""A member of an enum in a Literal needs a name that can follow a dot."""

from enum import Enum
from typing import Any, Literal

from farcall import service

Shade = Enum("Shade", {"dark red": 1, "white": 2})
DARK: Any = Shade["dark red"]


@service
class Market:
    async def paint(self, shade: Literal[DARK]) -> None: ...
