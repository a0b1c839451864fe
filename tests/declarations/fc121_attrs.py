"""attrs would make one signal a field that all objects share."""

import attrs

from farcall import Signal, service


@service
@attrs.define
class Market:
    ticked: Signal[float] = Signal()  # noqa: RUF009
