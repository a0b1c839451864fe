"""The same holds for a dataclass."""

from dataclasses import dataclass

from farcall import Signal, service


@service
@dataclass
class Market:
    ticked: Signal[float] = Signal()  # noqa: RUF009
