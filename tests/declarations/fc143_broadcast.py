"""A broadcast goes to every connected peer, so its signal cannot be restricted."""

from farcall import Signal, service


@service
class Market:
    closing: Signal[str] = Signal(broadcast=True, roles={"trader"})
