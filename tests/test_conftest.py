"""The checks around every test find what they are there for."""

from __future__ import annotations

import socket
import threading

import pytest
import trio

from tests.conftest import no_leaks, require


def test_a_socket_left_open_is_found() -> None:
    """A test that forgets a socket fails, although nobody else would notice."""
    with pytest.raises(AssertionError, match="a socket open"), no_leaks():
        left = socket.socket()
    left.close()


def test_a_thread_left_at_work_is_found() -> None:
    """A test that forgets a thread fails."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)

    with pytest.raises(AssertionError, match="a thread at work"), no_leaks():
        thread.start()
    end.set()
    thread.join()


def test_an_idle_worker_of_trio_is_no_leak() -> None:
    """Trio keeps its threads for the next job."""
    with no_leaks():
        trio.run(trio.to_thread.run_sync, threading.get_ident)


def test_a_missing_tool_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without the tool its tests are skipped, and say why."""
    monkeypatch.delenv("FARCALL_REQUIRE", raising=False)

    with pytest.raises(pytest.skip.Exception, match="no-such-tool is not installed"):
        require("no-such-tool")


def test_a_required_tool_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the tool was asked for, its absence is a failure."""
    monkeypatch.setenv("FARCALL_REQUIRE", "node,no-such-tool")

    with pytest.raises(pytest.fail.Exception, match="asks for no-such-tool"):
        require("no-such-tool")


def test_a_tool_that_is_there_is_no_matter() -> None:
    """Nothing is said about what is there."""
    require("python3")
