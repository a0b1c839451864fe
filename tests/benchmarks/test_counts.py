"""The counts are those that one finds by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.call_counts import count
from tests.benchmarks.counts import grown
from tests.benchmarks.tree_counts import count_tree

ROOM = '''
class Room:
    """A docstring is no line of a body."""

    def enter(self, guest, *, at):
        """Pass it on."""
        return self._door.enter(guest)

    def _count(self):
        first = 1
        return first
'''

HOUSE = """
from house import _room
from house._room import Room

def build():
    return Room()._count()
"""


def test_a_tree_is_counted(tmp_path: Path) -> None:
    """Modules, edges, private functions and the lengths of bodies are as one counts them."""
    house = tmp_path / "house"
    house.mkdir()
    (house / "__init__.py").write_text("", "utf-8")
    (house / "_room.py").write_text(ROOM, "utf-8")
    (house / "build.py").write_text(HOUSE, "utf-8")

    found = count_tree(house)

    assert (found.modules, found.packages, found.private_root_modules) == (3, 1, 1)
    assert found.import_edges == 1
    assert (found.functions, found.private_functions, found.used_once) == (3, 1, 1)
    assert found.forwarders == 1
    assert (found.median_lines, found.longest_lines) == (1, 2)
    assert found.longest == "house._room.Room._count"


def test_growth_over_the_margin_is_told() -> None:
    """A count may grow by 5 percent; more, and a count that is missing, is named."""
    kept = {"call": {"python": 100.0, "steps": 3.0}, "item": {"python": 10.0}}

    assert not list(grown(kept, {"call": {"python": 104.9, "steps": 1.0}, "item": {"python": 9.0}}))
    assert list(grown(kept, {"call": {"python": 106.0, "steps": 3.0}})) == [
        "call: python: 106, kept 100",
        "item: python: inf, kept 10",
    ]


@pytest.mark.slow
async def test_a_call_is_counted() -> None:
    """A call takes steps, functions of farcall and objects; a `def` handler has no task."""
    plain = await count("memory", "call, def")
    tasked = await count("memory", "call, async def")

    assert 0 < plain.own < plain.python
    assert 0 < plain.files <= plain.functions
    assert plain.objects >= 1
    assert plain.steps + 0.5 < tasked.steps
