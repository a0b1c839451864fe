"""One sweep: a scenario, where it is played, and how long its traces may last."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import attrs

import farcall
from farcall.testing import CancelledBy, SweepReport, cancel_sweep

WAYS: tuple[CancelledBy, ...] = ("caller", "handlers", "server", "cut")


@attrs.frozen
class Sweep:
    """A scenario that is to leave nothing behind."""

    kind: str
    """What it belongs to: the traffic, or what stands around it."""
    scenario: Callable[[Any], Awaitable[None]]
    open: Callable[[], AbstractAsyncContextManager[Any]]
    settle_seconds: float = 1
    tolerate: tuple[type[Exception], ...] = ()
    """What may come out of a scenario that is ended."""
    is_virtual: bool = True
    """Whether it runs in virtual time; sockets and threads do not."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.scenario.__name__}"

    async def run(self, by: CancelledBy, seed: int = 0) -> SweepReport:
        """End it at each of its steps."""
        return await cancel_sweep(
            self.open,
            self.scenario,
            by=by,
            seed=seed,
            tolerate=self.tolerate,
            settle_seconds=self.settle_seconds,
        )


async def ignore(function: Any, *args: Any) -> None:
    """Do what may be refused, or lost, without harm to what is swept."""
    try:
        await function(*args)
    except* farcall.FarcallError:
        pass
