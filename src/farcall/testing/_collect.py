"""`collect`: what a service emits, as a list."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from farcall._signals.buffer import Buffer
from farcall._signals.signal import BoundSignal
from farcall._usage.options import check_instance

T = TypeVar("T")


@contextmanager
def collect(signal: BoundSignal[T]) -> Iterator[list[T]]:
    """Collect the values of a signal while a ``with`` block runs.

    A value is in the list when `emit` returns. Values for an audience are collected as well; a
    value that the signal retained before the block is not.

    Args:
        signal: The signal of a service object in this process, such as ``market.ticked``.

    Returns:
        A context manager that gives the list. After the block the list no longer grows.

    Raises:
        TypeError: `signal` is something else, such as the signal of a class or of a proxy.
        RuntimeError: this is not the thread of the Trio run.
    """
    check_instance(
        "signal", signal, BoundSignal, "the signal of a service object", "collect(market.ticked)"
    )
    state = signal._state
    values: list[T] = []

    def take() -> None:
        while buffer.is_ready:
            values.append(state.read(buffer.pop_oldest()))

    buffer = Buffer(wake=take)
    detach = state.attach(buffer)
    values.clear()  # of retained values
    try:
        yield values
    finally:
        detach()
        buffer.close()
