"""What all connections have waiting, and who has to go when it is too much."""

from __future__ import annotations

from farcall._budget import Account, Process


class Connections:
    """Accounts that share one process."""

    def __init__(self, *names: str, most: int) -> None:
        self.evicted: list[str] = []
        self.process = Process()
        self.accounts = {name: self._open(name, most) for name in names}

    def _open(self, name: str, most: int) -> Account:
        return Account(most, lambda: self.evicted.append(name), self.process)


def test_the_one_that_holds_most_is_evicted() -> None:
    """Not the one whose bytes were too much; and what it held is free at once."""
    connections = Connections("large", "small", most=100)
    large, small = connections.accounts.values()
    large.hold(60)
    small.hold(40)
    assert connections.evicted == []

    small.hold(1)
    assert connections.evicted == ["large"]
    assert connections.process.held == 41


def test_as_many_as_it_takes_are_evicted() -> None:
    """Until what is left is no more than may be."""
    connections = Connections("a", "b", "c", most=100)
    a, b, c = connections.accounts.values()
    a.hold(50)
    b.hold(40)
    c.hold(101)

    assert connections.evicted == ["c"]
    b.hold(200)
    assert connections.evicted == ["c", "b"]
    assert (connections.process.held, a.held) == (50, 50)


def test_a_closed_account_counts_nothing() -> None:
    """What a connection that ends still does with its memory is of no interest."""
    connections = Connections("a", most=100)
    (account,) = connections.accounts.values()
    account.hold(50)
    account.close()
    account.close()
    account.hold(500)
    account.release(7)

    assert (account.held, connections.process.held, connections.evicted) == (0, 0, [])


def test_holding_is_for_a_block() -> None:
    """What was held is released at its end."""
    connections = Connections("a", most=100)
    (account,) = connections.accounts.values()
    with account.holding(10):
        assert connections.process.held == 10
    assert connections.process.held == 0
