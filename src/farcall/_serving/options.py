"""The options of a link, whichever side it is of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict

import attrs

from farcall._connection.heartbeat import Heartbeat, check_heartbeat
from farcall._connection.link import CANCEL_GRACE
from farcall._interceptors import Interceptor, check_interceptors
from farcall._limits import DEFAULT_LIMITS, Limits, check_limits
from farcall._usage.options import check_flag, check_seconds, validator

DEFAULT_HEARTBEAT = Heartbeat()


class LinkKeywords(TypedDict, total=False):
    """What `serve` and `connect` take alike; `LinkOptions` has the defaults."""

    interceptors: Sequence[Interceptor]
    max_call_seconds: float
    cancel_grace: float
    limits: Limits
    heartbeat: Heartbeat


@attrs.frozen(kw_only=True, slots=False)  # `PairOptions` has two bases, which slots rule out
class LinkOptions:
    """How a link behaves, and how it serves the calls of its peer."""

    interceptors: Sequence[Interceptor] = attrs.field(
        default=(), validator=validator(check_interceptors)
    )
    max_call_seconds: float = attrs.field(default=math.inf, validator=validator(check_seconds))
    cancel_grace: float = attrs.field(
        default=CANCEL_GRACE, validator=validator(check_seconds, may_be_zero=True)
    )
    limits: Limits = attrs.field(default=DEFAULT_LIMITS, validator=validator(check_limits))
    heartbeat: Heartbeat = attrs.field(
        default=DEFAULT_HEARTBEAT, validator=validator(check_heartbeat)
    )
    debug: bool = attrs.field(default=False, validator=validator(check_flag))
    """Whether notes and tracebacks of failures travel; an option of servers alone."""

    def __attrs_post_init__(self) -> None:
        # The list is the user's, who may change it later.
        object.__setattr__(self, "interceptors", tuple(self.interceptors))
