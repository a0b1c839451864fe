"""What holds for every test: nothing is left behind, and a missing tool skips or fails.

A task cannot be left behind: pytest-trio ends a test with its nursery. Threads and sockets can.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from trio.testing import MockClock

# The machine that runs the suite may be busy: a slow example is no fault of the code.
settings.register_profile("farcall", deadline=None)
settings.load_profile("farcall")


def require(tool: str) -> None:
    """Skip the test where `tool` is not installed.

    Where the environment's ``FARCALL_REQUIRE`` names the tool (``node,redis-server``), the test
    fails instead: there nothing that should run may go unnoticed.
    """
    if shutil.which(tool) is not None:
        return
    if tool in os.environ.get("FARCALL_REQUIRE", "").split(","):
        pytest.fail(f"FARCALL_REQUIRE asks for {tool}, which is not installed")
    pytest.skip(f"{tool} is not installed")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Obey ``@pytest.mark.requires("node")``."""
    for mark in item.iter_markers("requires"):
        for tool in mark.args:
            require(tool)


@pytest.fixture
def running_clock() -> MockClock:
    """Let time run as it does, and let the test put it forward by `MockClock.jump`.

    It is for sockets, which have no virtual time: what must happen before a limit has all the time
    that a busy machine takes, and the limit comes when the test jumps to it.
    """
    return MockClock(rate=1)


@contextmanager
def no_leaks() -> Iterator[None]:
    """Fail when a thread is still at work, or a socket open, that was not before."""
    threads, sockets = _busy_threads(), _open_sockets()

    yield

    assert _busy_threads() <= threads, "the test left a thread at work"
    assert _open_sockets() <= sockets, "the test left a socket open"


@pytest.fixture(autouse=True)
def _leak_check() -> Iterator[None]:
    with no_leaks():
        yield


def _busy_threads() -> set[threading.Thread]:
    # Trio keeps its workers for the next job; one that has a job is named after it.
    return {each for each in threading.enumerate() if not each.name.startswith("Trio thread ")}


def _open_sockets() -> set[int]:
    """Tell the inodes of all sockets of this process, where the system shows them."""
    numbers = [int(entry.name) for entry in _DESCRIPTORS.glob("*")]
    return {inode for number in numbers if (inode := _socket_inode(number)) is not None}


_DESCRIPTORS = Path("/dev/fd")


def _socket_inode(number: int) -> int | None:
    try:
        status = os.fstat(number)
    except OSError:  # it was the descriptor of the listing itself
        return None
    return status.st_ino if stat.S_ISSOCK(status.st_mode) else None
