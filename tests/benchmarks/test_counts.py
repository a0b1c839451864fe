"""The counts are those that one finds by hand."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.benchmarks.call_counts import count
from tests.benchmarks.counts import MARGIN, PROGRAMS, grown, loaded_by, package_of
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


DECLARING = {
    "attr",
    "attrs",
    "idna",
    "msgspec",
    "outcome",
    "sniffio",
    "sortedcontainers",
    "trio",
    "typing_extensions",
}
CONNECTING = DECLARING | {"h11", "trio_websocket", "wsproto"}

LOADED = {
    "import farcall": (2, 0, set[str]()),
    "declarations": (78, 100, DECLARING),
    "a client": (172, 121, CONNECTING),
    "a server": (176, 121, CONNECTING),
    "every name": (183, 121, CONNECTING),
}
"""How many modules of farcall, and of other packages, a program loads today; and from which."""


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_loads_few_modules(program: str) -> None:
    """Each costs time whenever a program starts, so a name loads no more than it needs."""
    loaded = loaded_by(program)
    packages = Counter(map(package_of, loaded))
    own = packages.pop("farcall")
    others = {each: count for each, count in packages.items() if not _is_standard(each)}
    most_own, most_others, known = LOADED[program]

    assert own <= most_own * (1 + MARGIN)
    assert set(others) <= known
    assert sum(others.values()) <= most_others * (1 + MARGIN)


def _is_standard(package: str) -> bool:
    # The second is made for each system when Python is built.
    return package in sys.stdlib_module_names or package.startswith("_sysconfigdata")
