"""A role is a non-empty string."""

from farcall import Signal, service


@service
class Market:
    traded: Signal[float] = Signal(roles={"trader", ""})
