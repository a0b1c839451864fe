"""The calling half of a remote task.

``await nursery.start(proxy.method, ...)`` passes Trio's own status object to the proxy. It stays
here; the handler is given another one, and what that is told crosses in ``rpc.started``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio

from farcall._connection.call import OnStarted
from farcall._declare import Method
from farcall._declare.status import STATUS
from farcall._failures import decoded


def without_status(
    method: Method, kwargs: Mapping[str, Any]
) -> tuple[Mapping[str, Any], OnStarted | None]:
    """Take the caller's status out of the arguments of a call.

    Returns:
        The arguments that cross, and what to do with the value of ``rpc.started``; None for a
        method that is no remote task.
    """
    codec = method.started
    if codec is None:
        return kwargs, None
    status: trio.TaskStatus[Any] = kwargs.get(STATUS, trio.TASK_STATUS_IGNORED)

    def on_started(text: bytes) -> None:
        status.started(decoded(codec, text, name=method.spec.wire_name, at="started"))

    return {name: value for name, value in kwargs.items() if name != STATUS}, on_started
