"""In an attrs class a signal must be a ClassVar, or all objects would share it as a field."""

import attrs

from farcall import Signal, service


@service
@attrs.define
class Market:
    ticked: Signal[float] = Signal()  # noqa: RUF009
