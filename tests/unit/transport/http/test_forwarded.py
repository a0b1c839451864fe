"""The address of a client behind proxies."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from farcall._transport.http import TrustedProxies

PROXIES = TrustedProxies.of(["10.0.0.0/8", "127.0.0.1", "2001:db8::/32"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.1.2.3", "192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("::ffff:127.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db9::1", "2001:db9::1"),
        ("10.1.2.3", "6.6.6.6, 192.0.2.1", "192.0.2.1"),  # the left one is the client's own word
        ("10.1.2.3", "6.6.6.6,192.0.2.1 , 10.9.9.9", "192.0.2.1"),
        ("10.1.2.3", "10.4.4.4, 10.5.5.5", "10.4.4.4"),
        ("10.1.2.3", "192.0.2.1:4711", "192.0.2.1"),
        ("10.1.2.3", "[2001:db9::1]:4711", "2001:db9::1"),
        ("10.1.2.3", "[2001:db9::1]", "2001:db9::1"),
        ("10.1.2.3", "192.0.2.1, unknown, 10.5.5.5", "10.5.5.5"),
        ("10.1.2.3", "192.0.2.1, unknown", None),
        ("10.1.2.3", "192.0.2.1,", None),
        ("10.1.2.3", "", None),
        ("10.1.2.3", "1.2.3.4.5", None),
        ("192.0.2.9", "192.0.2.1", None),
    ],
)
def test_the_rightmost_untrusted_one_asks(peer: str, forwarded: str, client: str | None) -> None:
    """The client is the rightmost address that is not trusted."""
    assert PROXIES.client_of(ip_address(peer), forwarded) == client


def test_nobody_is_trusted_unasked() -> None:
    """By default the header never counts, for anybody may send it."""
    assert TrustedProxies.of([]).client_of(ip_address("127.0.0.1"), "192.0.2.1") is None
    assert TrustedProxies.of([]).client_of(None, "192.0.2.1") is None
    assert PROXIES.client_of(None, "192.0.2.1") is None


def test_unix_sockets_have_a_name() -> None:
    """Peers on a Unix socket have no address; `unix` trusts them."""
    assert TrustedProxies.of(["unix"]).client_of(None, "192.0.2.1") == "192.0.2.1"


@pytest.mark.parametrize("text", ["example.com", "10.0.0.1/8", "", "*"])
def test_what_is_no_network_is_refused(text: str) -> None:
    """A network with bits of a host is refused as well, for it is ambiguous."""
    with pytest.raises(ValueError, match="a network such as 10"):
        TrustedProxies.of([text])
