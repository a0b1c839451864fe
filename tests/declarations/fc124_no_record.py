"""Only records have fields, so a signal with a key has records as values."""

from farcall import Signal, service


@service
class Market:
    ticked: Signal[float] = Signal(key="symbol")
