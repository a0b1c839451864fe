"""`allow` decides at once, so it cannot be async."""

import farcall
from farcall import Signal, service


async def may_hear(call: farcall.CallContext, key: str | None) -> bool:
    return key is not None


@service
class Market:
    traded: Signal[float] = Signal(allow=may_hear)
