"""One sweep: a scenario, the connection that it runs on, and the time for clean-up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import product
from typing import Any

import attrs
import pytest

import farcall
from farcall.testing import CancelledBy, SweepReport, cancel_sweep

WAYS: tuple[CancelledBy, ...] = ("caller", "handlers", "server", "cut")


@attrs.frozen
class Sweep:
    """A scenario that must leave nothing behind."""

    kind: str
    """The kind of traffic, or of what is around it."""
    scenario: Callable[[Any], Awaitable[None]]
    open: Callable[[], AbstractAsyncContextManager[Any]]
    settle_seconds: float = 1
    tolerate: tuple[type[Exception], ...] = ()
    """Errors that may come out of a scenario that is ended."""
    is_virtual: bool = True
    """Whether it runs in virtual time; sockets and threads cannot."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.scenario.__name__}"

    async def run(self, by: CancelledBy, seed: int = 0) -> SweepReport:
        """End the scenario at each of its steps."""
        return await cancel_sweep(
            self.open,
            self.scenario,
            by=by,
            seed=seed,
            tolerate=self.tolerate,
            settle_seconds=self.settle_seconds,
        )


def by_each_cause(name: str, scenarios: Sequence[object]) -> pytest.MarkDecorator:
    """Parametrize a test with `name` and `by`: each scenario, ended by each of `WAYS`.

    Three of the four causes are marked slow. The fourth differs from scenario to scenario, so that
    the fast tests see each scenario once, and each cause with some scenarios.
    """
    return pytest.mark.parametrize(
        (name, "by"),
        [
            pytest.param(
                scenario,
                by,
                id=f"{getattr(scenario, '__name__', scenario)}-{by}",
                marks=[] if cause == place % len(WAYS) else [pytest.mark.slow],
            )
            for (place, scenario), (cause, by) in product(enumerate(scenarios), enumerate(WAYS))
        ],
    )


async def ignore(function: Any, *args: Any) -> None:
    """Call a function and ignore an error of farcall."""
    try:
        await function(*args)
    except* farcall.FarcallError:
        pass
