"""The key of a signal is a field of its values."""

import attrs

from farcall import Signal, service


@attrs.frozen
class Quote:
    symbol: str
    price: float


@service
class Market:
    ticked: Signal[Quote] = Signal(key="sybmol")
