"""So the values have fields."""

from farcall import Signal, service


@service
class Market:
    ticked: Signal[float] = Signal(key="symbol")
