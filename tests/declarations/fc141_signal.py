"""A role has a name."""

from farcall import Signal, service


@service
class Market:
    traded: Signal[float] = Signal(roles={"trader", ""})
