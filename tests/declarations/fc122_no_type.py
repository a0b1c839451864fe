"""A signal says which values it has."""

from farcall import Signal, service


@service
class Market:
    ticked = Signal()
