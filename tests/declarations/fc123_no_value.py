"""An annotation alone makes no signal; assign one."""

from farcall import Signal, service


@service
class Market:
    ticked: Signal[float]

    async def quote(self, symbol: str) -> float:
        return 1.0
