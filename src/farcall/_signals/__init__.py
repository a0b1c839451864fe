"""The local half of signals: what a service emits into and what a subscriber iterates.

One value goes one way through these files: `Signal` on the class, its `SignalState` for each
service object (checked, encoded and fanned out there), the `Buffer` of each subscription, where
lag is decided, and either a `Subscription` in this process or the writer of a connection.
"""

from __future__ import annotations

from farcall._signals.buffer import Batch, Buffer, Entry, OnLag, check_on_lag
from farcall._signals.pool import BufferPool
from farcall._signals.signal import BoundSignal, Signal
from farcall._signals.state import KeyValue, SignalCodec, SignalKey, SignalOptions, SignalState
from farcall._signals.subscription import Subscription, failure_of, open_subscription

__all__ = [
    "Batch",
    "BoundSignal",
    "Buffer",
    "BufferPool",
    "Entry",
    "KeyValue",
    "OnLag",
    "Signal",
    "SignalCodec",
    "SignalKey",
    "SignalOptions",
    "SignalState",
    "Subscription",
    "check_on_lag",
    "failure_of",
    "open_subscription",
]
