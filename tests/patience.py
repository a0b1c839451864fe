"""How long a test waits for another task, or another process, on a machine that may be busy."""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 60
"""Seconds after which a test is taken to hang. No test may depend on being quicker."""
