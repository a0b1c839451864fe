"""Each example runs over a real socket and prints what it should."""

from __future__ import annotations

import pytest
import trio

import farcall
from examples.chat import client as chat_client
from examples.chat.service import Chat
from examples.market import client as market_client
from examples.market.service import Market
from examples.monitor import client as monitor_client
from examples.monitor.service import Monitor
from tests.patience import PATIENCE


async def test_market(capsys: pytest.CaptureFixture[str]) -> None:
    """The client of the market prints quotes, deals, errors and ticks."""
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, Market(interval=0.01), 0)
        with trio.fail_after(PATIENCE):
            await market_client.main(server.url)
        server.shutdown()

    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown[:3]] == ["ACME", "GLOBEX", "INITECH"]
    assert shown[3].startswith("bought 3 ACME at")
    assert shown[4].startswith("no deal")
    assert shown[5] == "not listed: HOOLI"
    assert shown[6] == "its first price: 12.5"
    assert shown[7].startswith("all that I have: ")
    assert all(line.startswith("ACME is at") for line in shown[8:])
    assert len(shown) == 11


async def test_chat(capsys: pytest.CaptureFixture[str]) -> None:
    """Each listener of the chat hears its own room, in order."""
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, Chat(), 0)
        with trio.fail_after(PATIENCE):
            await chat_client.main(server.url)
        server.shutdown()

    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown if line.startswith("ada")] == [
        "ada hears eve in kitchen: hello",
        "ada hears eve in kitchen: how is the kitchen?",
    ]
    assert [line for line in shown if line.startswith("bob")] == [
        "bob hears eve in garden: hello",
        "bob hears eve in garden: how is the garden?",
    ]
    assert "nothing was said in kitchen" in shown
    assert "rooms: garden, kitchen" in shown


async def test_monitor(capsys: pytest.CaptureFixture[str]) -> None:
    """The client of the monitor prints figures of this machine."""
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, Monitor(interval=0.01), 0)
        with trio.fail_after(PATIENCE):
            await monitor_client.main(server.url)
        server.shutdown()

    shown = capsys.readouterr().out
    assert "processors" in shown
    assert "no process -1" in shown
    assert shown.count("cpu") == 2
