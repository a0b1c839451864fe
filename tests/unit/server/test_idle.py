"""What an idle connection costs a server in memory, which must not grow."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TODAY = 15_500
"""Bytes of one connection, in Python 3.11; see `idle`."""

MARGIN = 1.05


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="each Python has sizes of its own")
def test_an_idle_connection_costs_no_more_than_today() -> None:
    """A connection that was greeted and has answered a call costs today's bytes and 5 percent."""
    # In a process of its own, for a tracer, such as that of coverage, has frames of its own.
    environment = {name: value for name, value in os.environ.items() if "COV" not in name}
    command = [sys.executable, "-m", "tests.unit.server.idle"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert int(said.stdout.split()[0]) <= TODAY * MARGIN, said.stdout
