"""URLs of WebSocket servers."""

from __future__ import annotations

import pytest

import farcall
from farcall._transport.url import WebSocketUrl, tcp_url, unix_url


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
        ("ws://a/ä", "a", "/%C3%A4", "ws://a/%C3%A4"),
        ("ws://a/b c", "a", "/b%20c", "ws://a/b%20c"),
        ("ws://a/?b=ü c", "a", "/?b=%C3%BC%20c", "ws://a/"),
        ("ws://a/%C3%A4?%20%", "a", "/%C3%A4?%20%", "ws://a/%C3%A4"),
        ("ws://a/b\xa0c\U0001f600", "a", "/b%C2%A0c%F0%9F%98%80", "ws://a/b%C2%A0c%F0%9F%98%80"),
        ("ws://a/@b:c", "a", "/@b:c", "ws://a/@b:c"),
        ("ws://a/?b@c", "a", "/?b@c", "ws://a/"),
        (
            "ws+unix:///run/a.sock:/ä?b c",
            "localhost",
            "/%C3%A4?b%20c",
            "ws+unix:///run/a.sock:/%C3%A4",
        ),
        ("ws+unix:///run/ä.sock", "localhost", "/", "ws+unix:///run/%C3%A4.sock:/"),
        ("ws://[fe80::1%25eth0]:81/b", "[fe80::1]:81", "/b", "ws://[fe80::1%25eth0]:81/b"),
        ("ws://[fe80::1%eth0]", "[fe80::1]", "/", "ws://[fe80::1%25eth0]/"),
        ("ws://[FE80::1%25Eth0]", "[fe80::1]", "/", "ws://[fe80::1%25Eth0]/"),
        ("ws://[fe80::1%252]", "[fe80::1]", "/", "ws://[fe80::1%252]/"),
    ],
)
def test_a_url_is_taken_apart(url: str, authority: str, target: str, shown: str) -> None:
    """The query is sent, and never shown."""
    parsed = WebSocketUrl.parse(url)

    assert (parsed.authority, parsed.target, parsed.shown) == (authority, target, shown)


def test_what_is_connected_to() -> None:
    """A URL leads to a name without brackets and a port, or to a path."""
    tcp = WebSocketUrl.parse("wss://[::1]")
    unix = WebSocketUrl.parse("ws+unix:///run/a%3Ab:/c")

    zoned = WebSocketUrl.parse("wss://[fe80::1%25eth0]")

    assert (tcp.name, tcp.port, tcp.is_secure, tcp.socket_path) == ("::1", 443, True, "")
    assert (tcp.address, zoned.name, zoned.address) == ("::1", "fe80::1", "fe80::1%eth0")
    assert (unix.is_secure, unix.socket_path) == (False, "/run/a:b")


def test_urls_are_written() -> None:
    """A written URL parses to the same address."""
    assert tcp_url("wss", "::1", 81) == "wss://[::1]:81"
    assert tcp_url("ws", "fe80::1%eth0", 81) == "ws://[fe80::1%25eth0]:81"
    assert unix_url("/a b:c?") == "ws+unix:///a%20b%3Ac%3F"
    assert WebSocketUrl.parse(unix_url("/a b:c?")).socket_path == "/a b:c?"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://a", "is not a URL such as ws://"),
        ("a:80", "is not a URL such as ws://"),
        ("ws:///b", "is not a URL such as ws://"),
        ("ws://a:x", "is not a URL such as ws://"),
        ("ws://a:70000", "is not a URL such as ws://"),
        ("ws+unix://host/run/a.sock", "is not a URL such as ws://"),
        ("ws+unix://", "is not a URL such as ws://"),
        ("ws+unix:///run/a.sock:b", "is not a URL such as ws://"),
        ("ws://a/#b", "no fragment; write %23"),
        ("ws://a/\n", "no control characters"),
        ("ws://a/\tb", "no control characters"),
        (" ws://a/", "no white space at its ends"),
        ("ws://a/ ", "no white space at its ends"),
        ("ws://a/\ud800", "no lone surrogates"),
        ("ws://[::1", "is not a URL such as ws://"),
        ("ws://[a]", "is not a URL such as ws://"),
        ("ws://a\u2100b", "is not a URL such as ws://"),
        ("", "is not a URL such as ws://"),
    ],
)
def test_what_is_no_such_url_is_refused(url: str, words: str) -> None:
    """Another URL is refused, with examples."""
    with pytest.raises(ValueError, match=words):
        WebSocketUrl.parse(url)


SECRETS = [
    "ws://ada:s3cret@127.0.0.1/",
    "ws://:s3cret@127.0.0.1/",
    "ws://s3cret@127.0.0.1/",
    "ws://ada:s3cret@",
    "wss://ada:s3cret@[::1]:1/?s3cret#s3cret",
    "ws+unix://ada:s3cret@/run/a.sock",
    "ws://ada:%73s3cret@127.0.0.1/",
    "ws://127.0.0.1@s3cret@127.0.0.1/",
]
"""URLs with a user, or a password."""

MORE_SECRETS = [
    "ws://ada:s3cret/1@127.0.0.1/",
    "ws://ada:s3cret?1@127.0.0.1/",
    "ws://ada:s3cret#1@127.0.0.1/",
    "ws://ada:s3cret",
    "ws:ada:s3cret@127.0.0.1",
    "ada:s3cret@127.0.0.1",
    "http://ada:s3cret@127.0.0.1",
    "ws://127.0.0.1/?s3cret#a",
    "ws://127.0.0.1/#s3cret",
    "http://127.0.0.1/?s3cret",
    "ws://127.0.0.1:x/?s3cret",
    "ws://127.0.0.1/?s3cret\n",
    "ws://127.0.0.1/?s3cret\ud800",
    "ws://[::1/?s3cret",
    "ws://[a]/?s3cret",
    "ws://a\u2100s3cret@b/",
    "127.0.0.1/?s3cret",
    "ws+unix:/?s3cret",
]
"""Others that are none, and hold a secret somewhere."""


@pytest.mark.parametrize("url", SECRETS)
def test_a_user_is_refused(url: str) -> None:
    """A user or a password in a URL is refused; the error quotes neither."""
    with pytest.raises(ValueError, match=r"no user or password.*headers=") as caught:
        farcall.connect(url)

    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("url", MORE_SECRETS)
def test_what_may_be_secret_is_not_repeated(url: str) -> None:
    """Errors, which end up in logs, quote nothing that may be secret."""
    with pytest.raises(ValueError, match="URL") as caught:
        farcall.connect(url)

    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_url_is_a_text() -> None:
    """A URL in bytes is refused."""
    with pytest.raises(TypeError, match="url takes a str, not a bytes") as caught:
        farcall.connect(b"ws://:s3cret@a")  # type: ignore[call-overload]

    assert "s3cret" not in str(caught.value)
