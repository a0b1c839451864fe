"""The log of a server and a client, under the name ``farcall``."""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import trio
import trustme

import farcall
from farcall import ConnectFailed, functions, service
from tests.ends import wait_until
from tests.patience import PATIENCE
from tests.unit.transport.websocket.certificates import authority, client_context, server_context


@service
class Market:
    async def price(self) -> float:
        return 1.0


@service
class Clock:
    async def now(self) -> float:
        return 0.0


def add(a: int, b: int) -> int:
    return a + b


@asynccontextmanager
async def serving(services: Any = None, port: int | None = 0, **options: Any) -> AsyncIterator[Any]:
    serve = partial(farcall.serve, services or Market(), port, **options)
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(serve)
        with trio.fail_after(PATIENCE):
            yield server
        server.shutdown()


def told(caplog: pytest.LogCaptureFixture, least: int = logging.INFO) -> Sequence[str]:
    """Return the log lines of farcall, without ports."""
    ours = [each for each in caplog.records if each.name.split(".")[0] == "farcall"]
    lines = [f"{each.levelname}: {each.getMessage()}" for each in ours if each.levelno >= least]
    return [re.sub(r"(?<=127\.0\.0\.1):\d+", "", line) for line in lines]


async def test_a_server_says_where_it_listens(caplog: pytest.LogCaptureFixture) -> None:
    """A server logs where it listens, what it serves, and its shutdown and end."""
    caplog.set_level(logging.INFO)
    services = {"/": Market(), "/side": [Clock(), functions(add, name="")]}
    async with serving(services, drain_seconds=2):
        assert told(caplog) == [
            "INFO: listening at ws://127.0.0.1, serving Market at /;"
            " Clock, a service without a name at /side"
        ]
        caplog.clear()

    assert told(caplog) == [
        "INFO: ws://127.0.0.1: shutting down, with 2 s for calls",
        "INFO: ws://127.0.0.1: the server has ended",
    ]


async def test_every_address_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """The log names every address, with TLS and Unix sockets."""
    caplog.set_level(logging.INFO)
    with TemporaryDirectory(prefix="fc") as folder:
        unix = Path(folder) / "a.sock"
        async with serving(ssl_context=server_context(), unix=unix):
            assert told(caplog)[0].startswith(
                f"INFO: listening at wss://127.0.0.1, ws+unix://{unix}, serving Market at /"
            )


async def test_a_server_that_is_cancelled_has_ended(caplog: pytest.LogCaptureFixture) -> None:
    """A server that is cancelled logs its end."""
    caplog.set_level(logging.INFO)
    async with trio.open_nursery() as nursery:
        await nursery.start(farcall.serve, Market(), 0)
        nursery.cancel_scope.cancel()

    assert told(caplog)[1:] == ["INFO: ws://127.0.0.1: the server has ended"]


async def test_connections_are_told_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    """Each end logs a connection at DEBUG, without the query of its URL."""
    caplog.set_level(logging.DEBUG)
    async with serving() as server:
        async with farcall.connect(f"{server.url}/?token=secret") as session:
            await session.call("Market.price")
        await wait_until(lambda: "closed by" in caplog.text)

    lines = told(caplog, logging.DEBUG)
    assert sorted(line for line in lines if line.startswith("DEBUG: ")) == [
        "DEBUG: 127.0.0.1: closed by the peer with 1000",
        "DEBUG: 127.0.0.1: connected, at /",
        "DEBUG: connected to ws://127.0.0.1/",
    ]
    assert "secret" not in "".join(lines)


def connect_from(server: farcall.Server, origin: str, **headers: str) -> Any:
    return farcall.connect(server.url, headers={"Origin": origin, **headers})


async def refuse(server: farcall.Server, origin: str, **headers: str) -> None:
    with pytest.raises(ConnectFailed) as caught:
        async with connect_from(server, origin, **headers):
            pytest.fail("it was let in")
    assert caught.value.status == 403


async def test_a_refused_origin_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """A refused origin is warned of once, with the option that would allow it."""
    async with serving() as server:
        for _ in range(3):
            await refuse(server, "https://app.example")
        await refuse(server, "null")

    hint = "may not connect, and get no more than the close code 1006; to allow them, add it to"
    assert told(caplog) == [
        f"WARNING: refused with HTTP 403: pages of 'https://app.example' {hint} allowed_origins",
        f"WARNING: refused with HTTP 403: pages of 'null' {hint} allowed_origins",
    ]


async def test_a_refused_host_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """A refused host is warned of once, with the option that would allow it."""
    async with serving() as server:
        async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
            await stream.send_all(b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
            assert b"403" in await stream.receive_some()
        async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
            await stream.send_all(b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
            assert b"403" in await stream.receive_some()

    assert told(caplog) == [
        "WARNING: refused with HTTP 403: a client asked for the host 'api.example', which is not"
        " one of this server; if it is, add it to allowed_hosts"
    ]


async def test_made_up_origins_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A hundred refused origins are logged, each in a short line of ASCII."""
    async with serving() as server:
        await refuse(server, "https://" + "x" * 1000 + "\xe9")
        for number in range(120):
            await refuse(server, f"https://{number}.example")

    lines = told(caplog)
    assert len(lines) == 101
    assert lines[-1] == "WARNING: 100 of these were logged; there will be no more"
    assert max(map(len, lines)) < 300
    assert all(line.isascii() and line.isprintable() for line in lines)


async def test_an_allowed_origin_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """An allowed origin, or the server's own one, causes no warning."""
    async with serving(allowed_origins=["https://app.example"]) as server:
        async with connect_from(server, "https://app.example"):
            pass
        async with connect_from(server, f"http://127.0.0.1:{server.port}"):
            pass

    assert told(caplog) == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("none", "has no TLS certificate, and the ssl_context asks for one"),
        ("strange", "its TLS certificate was refused: unable to get local issuer certificate"),
        ("right", None),
    ],
)
async def test_a_refused_client_certificate_is_logged(
    version: ssl.TLSVersion, kind: str, problem: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing or wrong client certificate is logged by the server with its reason."""
    context = server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    authority().configure_trust(context)
    mine = client_context()
    if kind != "none":
        ca = authority() if kind == "right" else trustme.CA()
        ca.issue_cert("client.example").configure_cert(mine)

    async with serving(ssl_context=context) as server:
        if problem is None:
            async with farcall.connect(server.url, Market, ssl_context=mine) as market:
                assert await market.price() == 1.0
            assert told(caplog) == []
            return
        with pytest.raises(ConnectFailed, match="may ask for a TLS certificate of the client"):
            async with farcall.connect(server.url, ssl_context=mine):
                pytest.fail("it was let in")
        await wait_until(lambda: caplog.records)

    assert told(caplog) == [f"WARNING: 127.0.0.1: {problem}"]
