"""What all connections have waiting, and who has to go when it is too much."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from farcall._quota import MemoryAccount, ProcessQuota


class Connections:
    """Accounts that share one process."""

    def __init__(self, *names: str, most: int) -> None:
        self.evicted: list[str] = []
        self.process = ProcessQuota()
        self.accounts = {name: self._open(name, most) for name in names}

    def _open(self, name: str, most: int) -> MemoryAccount:
        return MemoryAccount(most, lambda: self.evicted.append(name), self.process)


async def test_the_one_that_holds_most_is_evicted() -> None:
    """Not the one whose bytes were too much; and what it held is free at once."""
    connections = Connections("large", "small", most=100)
    large, small = connections.accounts.values()
    large.charge(60)
    small.charge(40)
    assert connections.evicted == []

    small.charge(1)
    assert connections.evicted == ["large"]
    assert connections.process.held == 41


async def test_as_many_as_it_takes_are_evicted() -> None:
    """Until what is left is no more than may be."""
    connections = Connections("a", "b", "c", most=100)
    a, b, c = connections.accounts.values()
    a.charge(50)
    b.charge(40)
    c.charge(101)

    assert connections.evicted == ["c"]
    b.charge(200)
    assert connections.evicted == ["c", "b"]
    assert (connections.process.held, a.held) == (50, 50)


async def test_a_closed_account_counts_nothing() -> None:
    """What a connection that ends still does with its memory is of no interest."""
    connections = Connections("a", most=100)
    (account,) = connections.accounts.values()
    account.charge(50)
    account.close()
    account.close()
    account.charge(500)
    account.release(7)

    assert (account.held, connections.process.held, connections.evicted) == (0, 0, [])


async def test_holding_is_for_a_block() -> None:
    """What was held is released at its end."""
    connections = Connections("a", most=100)
    (account,) = connections.accounts.values()
    with account.charged(10):
        assert connections.process.held == 10
    assert connections.process.held == 0


async def test_incomplete_messages_without_progress_go_first(autojump_clock: MockClock) -> None:
    """Many small ones must not have a good peer closed whose message is larger."""
    connections = Connections("bad 1", "bad 2", "bad 3", "good", most=100)
    *bad, good = connections.accounts.values()
    for account in bad:
        account.charge_incomplete(30)
    await trio.sleep(5)
    for size in range(0, 61, 20):
        good.charge_incomplete(size)
    assert connections.evicted == ["bad 1", "bad 2"]


async def test_a_drip_is_no_progress(autojump_clock: MockClock) -> None:
    """What comes byte by byte holds its memory for nothing all the same."""
    connections = Connections("bad 1", "bad 2", "good", most=100_000)
    *bad, good = connections.accounts.values()
    for size in range(30_000, 30_100):
        for account in bad:
            account.charge_incomplete(size)
        await trio.sleep(0.1)
    good.charge_incomplete(45_000)
    assert connections.evicted == ["bad 1"]


async def test_a_message_that_comes_makes_progress(autojump_clock: MockClock) -> None:
    """A slow line is no fault; of those that come the connection that holds most goes, as ever."""
    connections = Connections("slow", "idle", "new", most=500_000)
    slow, idle, new = connections.accounts.values()
    idle.charge_incomplete(1)
    for size in range(0, 400_000, 2_000):
        slow.charge_incomplete(size)
        await trio.sleep(0.1)
    new.charge_incomplete(200_000)
    assert connections.evicted == ["slow"]


async def test_a_hog_goes_before_a_few_slow_messages(autojump_clock: MockClock) -> None:
    """What is not read by one is more than what has not come from some."""
    connections = Connections("hog", "slow 1", "slow 2", most=100)
    hog, *slow = connections.accounts.values()
    for account in slow:
        account.charge_incomplete(10)
    await trio.sleep(5)
    hog.charge(90)
    assert connections.evicted == ["hog"]
