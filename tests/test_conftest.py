"""The checks around every test find a leak or a missing tool."""

from __future__ import annotations

import socket
import threading

import pytest
import trio

from tests.conftest import no_leaks, require


def test_a_socket_left_open_is_found() -> None:
    """A test that leaves a socket open fails."""
    with pytest.raises(AssertionError, match="a socket open"), no_leaks():
        left = socket.socket()
    left.close()


def test_a_thread_left_at_work_is_found() -> None:
    """A test that leaves a thread at work fails."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)

    with pytest.raises(AssertionError, match="a thread at work"), no_leaks():
        thread.start()
    end.set()
    thread.join()


def test_an_idle_worker_of_trio_is_no_leak() -> None:
    """An idle worker of Trio is not a leak."""
    with no_leaks():
        trio.run(trio.to_thread.run_sync, threading.get_ident)


def test_a_missing_tool_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test is skipped if its tool is missing."""
    monkeypatch.delenv("FARCALL_REQUIRE", raising=False)

    with pytest.raises(pytest.skip.Exception, match="no-such-tool is not installed"):
        require("no-such-tool")


def test_a_required_tool_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test fails if its tool is missing and `FARCALL_REQUIRE` names it."""
    monkeypatch.setenv("FARCALL_REQUIRE", "node,no-such-tool")

    with pytest.raises(pytest.fail.Exception, match="asks for no-such-tool"):
        require("no-such-tool")


def test_an_installed_tool_passes() -> None:
    """A test runs if its tool is installed."""
    require("python3")
