"""`allow` is called with the call and the key."""

from farcall import Signal, service


def may_hear(name: str) -> bool:
    return name == "ada"


@service
class Market:
    traded: Signal[float] = Signal(allow=may_hear)
