"""That holds for a broadcast in a protected class as well."""

from farcall import Signal, service


@service(protected=True)
class Market:
    closing: Signal[str] = Signal(broadcast=True)
