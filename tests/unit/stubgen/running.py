"""Import generated modules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def imported(source: str) -> Iterator[ModuleType]:
    """Run `source` as a module that annotations can be looked up in."""
    module = ModuleType("generated")
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, "generated.py", "exec"), vars(module))
        yield module
    finally:
        del sys.modules[module.__name__]
