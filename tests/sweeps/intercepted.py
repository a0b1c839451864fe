"""The same traffic inside of interceptors on both sides."""

from __future__ import annotations

import functools
from typing import Any

import trio

from farcall import CallContext, Proceed
from tests.sweeps.calls import call_back, open_desk, subscribe
from tests.sweeps.flows import leave, open_flow, read, read_back, task, task_in_time, upload
from tests.sweeps.sweep import Sweep


async def pass_through(call: CallContext, proceed: Proceed) -> Any:
    """Proceed with a checkpoint before and after."""
    await trio.lowlevel.checkpoint()
    try:
        return await proceed()
    finally:
        await trio.lowlevel.cancel_shielded_checkpoint()


TWO = {"interceptors": [pass_through] * 2, "client_interceptors": [pass_through] * 2}

INTERCEPTED = [
    *(
        Sweep("interceptors", scenario, functools.partial(open_desk, **TWO))
        for scenario in (call_back, subscribe)
    ),
    *(
        Sweep("interceptors", scenario, functools.partial(open_flow, **TWO))
        for scenario in (read, leave, upload, read_back, task, task_in_time)
    ),
]
