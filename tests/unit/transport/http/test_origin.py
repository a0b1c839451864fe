"""The check of Origin and Host."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from farcall._transport.http import OriginPolicy, Rejection


def is_let_in(
    gate: OriginPolicy,
    *,
    host: str | None = None,
    origin: str | None = None,
    local: str | None = "192.0.2.1",
    is_secure: bool = False,
) -> bool:
    said = {"host": host, "origin": origin}
    headers = {name: value for name, value in said.items() if value is not None}
    address = None if local is None else ip_address(local)
    try:
        gate.check(headers, address, is_secure=is_secure)
    except Rejection as rejection:
        return rejection.status != 403
    return True


@pytest.mark.parametrize(
    ("host", "origin", "expected"),
    [
        ("a.example", None, True),
        ("a.example", "http://a.example", True),
        ("a.example", "https://a.example", True),  # a proxy may have ended TLS
        ("A.example:80", "HTTP://a.EXAMPLE", True),
        ("a.example:443", "https://a.example", True),
        ("a.example:8765", "http://a.example:8765", True),
        ("[2001:db8::1]:8765", "http://[2001:db8::1]:8765", True),
        ("a.example", "http://b.example", False),
        ("a.example", "http://a.example:8080", False),
        ("a.example:8765", "http://a.example", False),
        ("a.example:80", "https://a.example", False),
        ("a.example", "http://x.a.example", False),
        ("a.example", "http://a.example.evil.example", False),
        ("a.example", "http://a.example@evil.example", False),
        ("a.example", "http://a.example/", False),
        ("a.example", "http://a.example, http://evil.example", False),
        ("a.example", "ftp://a.example", False),
        ("a.example", "a.example", False),
        ("a.example", "", False),
        ("a.example", "null", False),
        ("", "http://", False),
        (None, "http://a.example", False),
    ],
)
def test_the_origin_is_that_of_the_host(
    host: str | None, origin: str | None, expected: bool
) -> None:
    """A request without Origin may pass; one with it must be from a page of this server."""
    assert is_let_in(OriginPolicy.of(), host=host, origin=origin) is expected


@pytest.mark.parametrize(
    ("host", "origin", "expected"),
    [
        ("a.example", "https://a.example", True),
        ("a.example:8765", "https://a.example:8765", True),
        ("a.example", "http://a.example", False),
    ],
)
def test_under_tls_the_default_port_is_that_of_https(
    host: str, origin: str, expected: bool
) -> None:
    """A page loaded without TLS is not one of a server with TLS."""
    assert is_let_in(OriginPolicy.of(), host=host, origin=origin, is_secure=True) is expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://app.example", True),
        ("https://APP.example:443", True),
        ("chrome-extension://abc", True),
        ("http://app.example", False),
        ("https://app.example:8443", False),
        ("null", False),
    ],
)
def test_origins_may_be_allowed(origin: str, expected: bool) -> None:
    """An allowed origin must match in scheme, host and port."""
    gate = OriginPolicy.of(origins=["https://app.example", "chrome-extension://abc"])

    assert is_let_in(gate, host="a.example", origin=origin) is expected


def test_null_may_be_allowed() -> None:
    """Allowing null allows no other origin."""
    gate = OriginPolicy.of(origins=["null"])

    assert is_let_in(gate, host="a.example", origin="null")
    assert not is_let_in(gate, host="a.example", origin="http://b.example")


@pytest.mark.parametrize("local", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST:8765", True),
        ("127.0.0.1:8765", True),
        ("[::1]:8765", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("0.0.0.0", False),
        ("192.0.2.1", False),
        ("", False),
        ("localhost/x", False),
        (None, False),
    ],
)
def test_a_loopback_server_has_few_names(local: str, host: str | None, expected: bool) -> None:
    """On the loopback, other host names are refused, whatever Origin says."""
    assert is_let_in(OriginPolicy.of(), host=host, local=local) is expected
    if host is not None:
        assert (
            is_let_in(OriginPolicy.of(), host=host, origin=f"http://{host}", local=local)
            is expected
        )


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("a.example", True),
        ("A.example:99", True),
        ("b.example:8765", True),
        ("b.example", False),
        ("b.example:99", False),
        ("localhost", True),
    ],
)
def test_hosts_may_be_allowed(host: str, expected: bool) -> None:
    """A host may be allowed with one port, or with any."""
    gate = OriginPolicy.of(hosts=["A.example", "b.example:8765"])

    assert is_let_in(gate, host=host, local="127.0.0.1") is expected


def test_elsewhere_host_is_not_checked() -> None:
    """Host is not checked at other addresses, nor at a Unix socket."""
    assert is_let_in(OriginPolicy.of(), host="any.example")
    assert is_let_in(OriginPolicy.of(), host="any.example", local=None)


@pytest.mark.parametrize("text", ["example.com", "https://", "https://a/b", ""])
def test_an_origin_that_is_none_is_refused(text: str) -> None:
    """A malformed entry of allowed_origins is refused with an example."""
    with pytest.raises(ValueError, match="not an origin such as https://"):
        OriginPolicy.of(origins=[text])


@pytest.mark.parametrize("text", ["https://a.example", "a b", "", "a:b"])
def test_a_host_that_is_none_is_refused(text: str) -> None:
    """A malformed entry of allowed_hosts is refused with an example."""
    with pytest.raises(ValueError, match="not a host such as"):
        OriginPolicy.of(hosts=[text])
