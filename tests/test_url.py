"""URLs of WebSocket servers."""

from __future__ import annotations

import pytest

from farcall._url import WebSocketUrl


@pytest.mark.parametrize(
    ("url", "authority", "target", "shown"),
    [
        ("ws://a", "a", "/", "ws://a/"),
        ("ws://a:80/b", "a", "/b", "ws://a/b"),
        ("ws://a:81/b?c=d", "a:81", "/b?c=d", "ws://a:81/b"),
        ("ws://[::1]:81", "[::1]:81", "/", "ws://[::1]:81/"),
    ],
)
def test_a_url_is_taken_apart(url: str, authority: str, target: str, shown: str) -> None:
    """The query is asked for and never shown."""
    parsed = WebSocketUrl.parse(url)

    assert (parsed.authority, parsed.target, parsed.shown) == (authority, target, shown)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://a", "is no URL such as ws://"),
        ("a:80", "is no URL such as ws://"),
        ("ws:///b", "is no URL such as ws://"),
        ("wss://a", "not there yet"),
        ("ws://a/#b", "no fragment"),
        ("ws://me:secret@a", "no user"),
    ],
)
def test_what_is_no_such_url_is_refused(url: str, words: str) -> None:
    """And the error says what one looks like."""
    with pytest.raises(ValueError, match=words):
        WebSocketUrl.parse(url)
