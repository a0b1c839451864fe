"""Signals without a connection: a service emits values, subscribers iterate over them.

The way of one value: `Signal` is declared on the class; the `SignalState` of the service object
checks the value, encodes it and pushes it into the `Buffer` of each subscription, which drops the
oldest when it is full; a `Subscription` in this process or the writer of a link takes it out.
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
