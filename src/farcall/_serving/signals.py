"""What all subscriptions of one link share while they are served, in both dialects."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from farcall._connection.link import Link
from farcall._serving.endpoints import SignalEndpoint
from farcall._serving.intercepted import InterceptedSubscriptions
from farcall._serving.policy import SubscriptionPolicy
from farcall._signals import BufferPool


@attrs.frozen(eq=False)
class ServedSignals:
    """The signals that one link offers, and what serving them needs."""

    link: Link
    endpoints: Mapping[str, SignalEndpoint]
    """By wire name."""
    policy: SubscriptionPolicy
    """Decides which subscriptions are allowed."""
    intercepted: InterceptedSubscriptions
    """Runs the interceptors around each subscription, where there are any."""
    pool: BufferPool = attrs.field(init=False)
    """The memory of all buffers of the link."""

    def __attrs_post_init__(self) -> None:
        pool = BufferPool(self.link.limits.subscription_bytes, self.link.account)
        object.__setattr__(self, "pool", pool)
