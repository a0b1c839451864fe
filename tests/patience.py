"""The time that a test waits for another task or process on a busy machine."""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 60
"""Seconds after which a test counts as hanging. A test must not depend on being quicker."""
