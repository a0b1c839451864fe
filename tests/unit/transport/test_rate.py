"""The token bucket."""

from __future__ import annotations

from farcall._transport.transport import TokenBucket


def take_all(bucket: TokenBucket, now: float) -> int:
    """Take tokens until there are none, and count them."""
    count = 0
    while bucket.take(now):
        count += 1
    return count


def test_a_burst() -> None:
    """A bucket is full at first, and then empty."""
    bucket = TokenBucket(4, 3, at=100)

    assert take_all(bucket, 100) == 3
    assert not bucket.take(100)


def test_tokens_come_back() -> None:
    """Tokens return one at a time; a failed try does not delay them."""
    bucket = TokenBucket(4, 3, at=0)
    take_all(bucket, 0)

    assert [bucket.take(now / 8) for now in range(1, 7)] == [False, True] * 3


def test_it_holds_no_more_than_a_burst() -> None:
    """A bucket never holds more than a burst."""
    bucket = TokenBucket(4, 3, at=0)

    assert take_all(bucket, 1000) == 3
    assert take_all(bucket, 2000) == 3
