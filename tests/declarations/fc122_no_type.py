"""A signal needs the type of its values."""

from farcall import Signal, service


@service
class Market:
    ticked = Signal()
