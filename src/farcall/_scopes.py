"""The cancel scopes around a task, however many there are."""

from __future__ import annotations

from math import inf

import trio


def effective_deadline() -> float:
    """Return when the current task is cancelled at the latest, on Trio's clock.

    Trio asks one scope after another, each in a call inside the last. A task that opens a thousand
    connections inside one another has a thousand scopes around it, and would get a RecursionError.

    Raises:
        RuntimeError: this is not in Trio.
    """
    task = trio.lowlevel.current_task()
    try:
        status = task._cancel_status
        deadline = inf
        while not status.effectively_cancelled:
            scope = status._scope
            if scope._deadline < deadline:
                deadline = scope._deadline
            if scope._shield or status._parent is None:
                return deadline
            status = status._parent
        return -inf
    except AttributeError:  # these are private names, so another Trio may have others
        return trio.current_effective_deadline()
