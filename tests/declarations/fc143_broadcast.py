"""A broadcast goes to everybody who is connected, whoever that is."""

from farcall import Signal, service


@service
class Market:
    closing: Signal[str] = Signal(broadcast=True, roles={"trader"})
