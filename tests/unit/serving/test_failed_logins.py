"""Counts of failed logins in the last minute."""

from __future__ import annotations

import pytest

from farcall import Limits
from farcall._serving.failed_logins import MAX_ORIGINS, FailedLogins, origin_of


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("192.0.2.1:51234", "192.0.2.1/32"),
        ("192.0.2.1", "192.0.2.1/32"),
        ("[::ffff:192.0.2.1]:51234", "192.0.2.1/32"),
        ("[2001:db8:1:2:3:4:5:6]:51234", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[fe80::1%eth0]:51234", "fe80::/64"),
        ("127.0.0.1:51234", None),
        ("127.1.2.3", None),
        ("[::1]:51234", None),
        ("[::ffff:127.0.0.1]:51234", None),
        ("unnamed", None),
        ("unknown", None),
        ("memory", None),
        ("/run/a.sock", None),
        ("", None),
    ],
)
def test_the_address_of_a_peer(peer: str, expected: str | None) -> None:
    """The port does not count; peers of this machine have no address."""
    origin = origin_of(peer)

    assert (None if origin is None else str(origin)) == expected


def failed(origin: str, times: int, now: float, into: FailedLogins) -> None:
    for _ in range(times):
        into.add(origin_of(origin), now)


def test_a_minute_begins_with_the_first_failure() -> None:
    """After the minute the count starts again."""
    counts = FailedLogins(Limits(address_failed_logins=3))
    here = origin_of("192.0.2.1")
    failed("192.0.2.1", 2, 100, counts)
    failed("192.0.2.1", 1, 130, counts)
    excess = counts.excess(here, 0, 140)

    assert excess is not None
    assert (excess.limit, excess.most, excess.seconds) == ("address_failed_logins", 3, 20)
    assert counts.count(here, 159) == 3
    assert counts.count(here, 160) == 0
    assert counts.excess(here, 0, 160) is None

    failed("192.0.2.1", 2, 160, counts)
    assert counts.count(here, 160) == 2
    assert counts.excess(here, 0, 160) is None


def test_a_connection_that_has_failed_is_told_from_others() -> None:
    """Over the limit of the server only connections and addresses that failed are refused."""
    counts = FailedLogins(Limits(server_failed_logins=2))
    failed("127.0.0.1", 2, 0, counts)

    assert counts.excess(None, 0, 1) is None
    excess = counts.excess(None, 1, 1)
    assert excess is not None
    assert (excess.limit, excess.seconds) == ("server_failed_logins", 59)
    assert counts.excess(None, 1, 60) is None


def test_memory_is_bounded() -> None:
    """At most so many addresses are counted; the one that failed least recently goes first."""
    counts = FailedLogins(Limits())
    for number in range(MAX_ORIGINS):
        failed(f"10.0.{number // 256}.{number % 256}", 1, 0, counts)
    failed("10.0.0.0", 1, 1, counts)
    failed("192.0.2.1", 1, 2, counts)

    assert counts.count(origin_of("10.0.0.0"), 3) == 2
    assert counts.count(origin_of("10.0.0.1"), 3) == 0
    assert counts.count(origin_of("10.0.0.2"), 3) == 1
