"""Signals keep no history yet."""

from farcall import Signal, service


@service
class Market:
    ticked: Signal[float] = Signal(history=256)
