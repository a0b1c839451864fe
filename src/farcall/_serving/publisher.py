"""Serving the subscriptions of one connection, whichever dialect its peer speaks."""

from __future__ import annotations

from collections.abc import Mapping

from farcall._connection.link import Link
from farcall._serving.endpoints import SignalEndpoint
from farcall._serving.intercepted import ServedSubscriptions
from farcall._serving.plain_events import Events
from farcall._serving.policy import SubscriptionPolicy
from farcall._serving.subscriptions import Subscriptions
from farcall._signals import BufferPool


class Publisher:
    """The subscriptions of one link.

    Args:
        link: The link.
        signals: What can be subscribed to, by wire name.
        policy: Decides which subscriptions are allowed.
        served: Runs the interceptors around each subscription; None where there are none.
    """

    def __init__(
        self,
        link: Link,
        signals: Mapping[str, SignalEndpoint],
        policy: SubscriptionPolicy,
        served: ServedSubscriptions | None = None,
    ) -> None:
        self._served = served
        pool = BufferPool(link.limits.subscription_bytes, link.account)
        self.subscriptions = Subscriptions(link, signals, policy, pool, served)
        """Of a farcall peer."""
        self.events = Events(link, signals, policy, pool, served)
        """Of a plain peer."""

    @property
    def is_busy(self) -> bool:
        """Whether subscriptions that are to end have not ended yet, because of interceptors."""
        return self._served is not None and self._served.has_ending

    def recheck(self) -> None:
        """End the subscriptions that are not for who the peer is now."""
        self.withdraw()
        self.subscriptions.recheck()
        self.events.recheck()

    def withdraw(self) -> None:
        """Drop values that wait, and were for who the peer is no more."""
        self.subscriptions.withdraw()
        self.events.withdraw()

    def close(self, reason: str) -> None:
        """Leave every signal, because the link has ended; interceptors hear why."""
        if self._served is not None:
            self._served.cancel_all(reason)
        self.events.close()
        self.subscriptions.close()
