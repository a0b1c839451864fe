"""In a protected service, a broadcast signal has to be opened."""

from farcall import Signal, service


@service(protected=True)
class Market:
    closing: Signal[str] = Signal(broadcast=True)
