"""The sweeps: each kind of traffic, ended at each of its steps by each side.

`tests/test_sweep.py` runs them as tests. This prints a report of all steps:

    python -m tests.sweeps
"""

from tests.sweeps.calls import CALLS, LIMITED, PLAIN, THREADS
from tests.sweeps.connections import CONNECTIONS, OVER_TCP
from tests.sweeps.endings import ARRAYS, ENDINGS
from tests.sweeps.flows import FLOWS
from tests.sweeps.intercepted import INTERCEPTED
from tests.sweeps.sweep import WAYS, Sweep, by_each_cause

SWEEPS: tuple[Sweep, ...] = (
    *CALLS,
    *FLOWS,
    *ENDINGS,
    *ARRAYS,
    *PLAIN,
    *LIMITED,
    *INTERCEPTED,
    *CONNECTIONS,
    *THREADS,
    *OVER_TCP,
)

__all__ = [
    "ARRAYS",
    "CALLS",
    "CONNECTIONS",
    "ENDINGS",
    "FLOWS",
    "INTERCEPTED",
    "LIMITED",
    "OVER_TCP",
    "PLAIN",
    "SWEEPS",
    "THREADS",
    "WAYS",
    "Sweep",
    "by_each_cause",
]
