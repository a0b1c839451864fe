"""URLs of WebSocket servers."""

from __future__ import annotations

import pytest

from farcall._url import WebSocketUrl, tcp_url, unix_url


@pytest.mark.parametrize(
    ("url", "authority", "target", "shown"),
    [
        ("ws://a", "a", "/", "ws://a/"),
        ("ws://a:80/b", "a", "/b", "ws://a/b"),
        ("ws://a:81/b?c=d", "a:81", "/b?c=d", "ws://a:81/b"),
        ("ws://[::1]:81", "[::1]:81", "/", "ws://[::1]:81/"),
        ("ws://a:443", "a:443", "/", "ws://a:443/"),
        ("wss://a:443?b", "a", "/?b", "wss://a/"),
        ("wss://a:80", "a:80", "/", "wss://a:80/"),
        ("ws+unix:///run/a.sock", "localhost", "/", "ws+unix:///run/a.sock:/"),
        ("ws+unix:///run/a.sock:/b?c=d", "localhost", "/b?c=d", "ws+unix:///run/a.sock:/b"),
        ("ws+unix:///run/a%3Ab:/c:d", "localhost", "/c:d", "ws+unix:///run/a%3Ab:/c:d"),
    ],
)
def test_a_url_is_taken_apart(url: str, authority: str, target: str, shown: str) -> None:
    """The query is asked for and never shown."""
    parsed = WebSocketUrl.parse(url)

    assert (parsed.authority, parsed.target, parsed.shown) == (authority, target, shown)


def test_what_is_connected_to() -> None:
    """A name without brackets, and a port; or a path."""
    tcp = WebSocketUrl.parse("wss://[::1]")
    unix = WebSocketUrl.parse("ws+unix:///run/a%3Ab:/c")

    assert (tcp.name, tcp.port, tcp.is_secure, tcp.socket_path) == ("::1", 443, True, "")
    assert (unix.is_secure, unix.socket_path) == (False, "/run/a:b")


def test_urls_are_written() -> None:
    """What is written is read as the same."""
    assert tcp_url("wss", "::1", 81) == "wss://[::1]:81"
    assert unix_url("/a b:c?") == "ws+unix:///a%20b%3Ac%3F"
    assert WebSocketUrl.parse(unix_url("/a b:c?")).socket_path == "/a b:c?"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://a", "is no URL such as ws://"),
        ("a:80", "is no URL such as ws://"),
        ("ws:///b", "is no URL such as ws://"),
        ("ws://a:x", "is no URL such as ws://"),
        ("ws://a:70000", "is no URL such as ws://"),
        ("ws+unix://host/run/a.sock", "is no URL such as ws://"),
        ("ws+unix://", "is no URL such as ws://"),
        ("ws+unix:///run/a.sock:b", "is no URL such as ws://"),
        ("ws://a/#b", "no fragment"),
        ("ws://me:secret@a", "no user"),
    ],
)
def test_what_is_no_such_url_is_refused(url: str, words: str) -> None:
    """And the error says what one looks like."""
    with pytest.raises(ValueError, match=words):
        WebSocketUrl.parse(url)
