"""The demo with `--forever`."""

from __future__ import annotations

import io
import sys

import trio
from rich.console import Console

from farcall._cli.demo import Demo, run_demo
from tests.patience import PATIENCE


class Told(io.StringIO):
    """Records what is written, and waits for some words."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words
        self.event = trio.Event()

    def write(self, text: str, /) -> int:
        if self._words in text:
            self.event.set()
        return super().write(text)


async def test_forever_is_until_it_is_interrupted() -> None:
    """The examples name the port of this server, which ends when it is cancelled."""
    written = Told("Serving until Ctrl-C")
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_demo, Demo(Console(file=written), 0, 0.0, True))
            await written.event.wait()
            nursery.cancel_scope.cancel()

    shown = written.getvalue()
    url = shown.split()[3]
    assert url.startswith("ws://127.0.0.1:")
    assert shown.count(url) == 3


async def test_the_python_that_it_shows_runs() -> None:
    """The example in Python runs as a program of its own."""
    written = Told("Serving until Ctrl-C")
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run_demo, Demo(Console(file=written), 0, 0.0, True))
            await written.event.wait()
            shown = written.getvalue().partition("In Python:\n")[2].partition("In JavaScript:")[0]
            result = await trio.run_process([sys.executable, "-c", shown], capture_stdout=True)
            nursery.cancel_scope.cancel()

    assert "farcall._" not in shown
    assert b"'processors':" in result.stdout
