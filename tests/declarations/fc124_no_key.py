"""Keys are compared, so they are strings, integers, UUIDs or enums."""

import attrs

from farcall import Signal, service


@attrs.frozen
class Quote:
    symbol: str
    price: float


@service
class Market:
    ticked: Signal[Quote] = Signal(key="price")
