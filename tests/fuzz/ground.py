"""The servers that hostile peers attack, beside a good client."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache, partial

import trio
import trio.testing

import farcall
from tests.fuzz.attack import AT_ONCE, attack
from tests.fuzz.cases import Case
from tests.fuzz.oracle import Judge
from tests.fuzz.said import UPGRADE
from tests.fuzz.stock import Stock
from tests.fuzz.target import Target, authenticate
from tests.inside import census, links_of
from tests.unit.transport.websocket.certificates import client_context, server_context
from tests.unit.transport.websocket.sockets import TEXT, Raw, frame

SLOWLY = 0.001
"""Pings a second: so few that the allowance does not grow during a case."""

QUESTION = b'{"jsonrpc":"2.0","id":1,"method":"fuzz.add","params":[1,2]}'
ANSWER = b'{"jsonrpc":"2.0","id":1,"result":3}'


class Ground:
    """Two servers, one of them with TLS, and a client that must be served at once."""

    def __init__(
        self,
        server: farcall.Server,
        secure: farcall.Server,
        client: farcall.Session,
        findings: Sequence[str],
    ) -> None:
        self._server = server
        self._secure = secure
        self._client = client
        self._findings = findings
        self._before: tuple[object, ...] | None = None
        self.patience = AT_ONCE
        """Seconds until everything that a peer began must have ended."""
        self.slowest = 0.0
        """The longest time in seconds that the good client waited for an answer."""

    async def meet(self, case: Case) -> None:
        """Run a case; check that other clients are served, and that nothing is left behind.

        Raises:
            AssertionError: the server sent something wrong, or something was left behind.
            trio.TooSlowError: another client was not served.
        """
        if self._before is None:
            self._before = await self._at_rest()
        script = case.script()
        judge = Judge(script)
        server = self._secure if script.is_tls else self._server
        heard = await attack(server.port, script, judge.is_answered)
        assert not self._findings, "\n".join(self._findings)
        judge.check(heard)
        await self._be_served(server)
        await self._wait_back(self._before)

    async def _be_served(self, server: farcall.Server) -> None:
        began = trio.current_time()
        with trio.fail_after(AT_ONCE):
            assert await self._client.call("fuzz.add", 1, 2) == 3
        self.slowest = max(self.slowest, trio.current_time() - began)
        with trio.fail_after(AT_ONCE):
            await _be_let_in(server)

    async def _at_rest(self) -> tuple[object, ...]:
        await self._be_served(self._server)
        await trio.testing.wait_all_tasks_blocked(0.05)
        return self._held()

    async def _wait_back(self, before: tuple[object, ...]) -> None:
        with trio.move_on_after(self.patience):
            while not _is_released(self._held(), before):  # noqa: ASYNC110 - a count has no event
                await trio.sleep(0.0005)
        held = self._held()
        assert _is_released(held, before), f"{held} has stayed, where {before} was before"
        assert not self._findings, "\n".join(self._findings)

    def _held(self) -> tuple[object, ...]:
        """Count the resources that a peer can make a server hold."""
        return (
            Stock.now(),
            _held_by(self._server),
            _held_by(self._secure),
        )


def _is_released(held: tuple[object, ...], before: tuple[object, ...]) -> bool:
    stock, stock_before = held[0], before[0]
    assert isinstance(stock, Stock)
    assert isinstance(stock_before, Stock)
    return stock.is_released(stock_before) and held[1:] == before[1:]


def _held_by(server: farcall.Server) -> tuple[int, int, int, Counter[str]]:
    statistics = server.statistics()
    counts = census(links_of(server))
    return statistics.connections, statistics.pending, statistics.calls, counts


@asynccontextmanager
async def open_ground() -> AsyncIterator[Ground]:
    """Serve, and record errors in the log and lines that a peer has forged."""
    with _findings() as findings:
        async with trio.open_nursery() as nursery:
            limits = farcall.Limits(pings_per_second=SLOWLY)
            serve = partial(farcall.serve, authenticate=authenticate, limits=limits)
            server: farcall.Server = await nursery.start(serve, Target(), 0)
            secure: farcall.Server = await nursery.start(
                partial(serve, ssl_context=server_context()), Target(), 0
            )
            async with farcall.connect(server.url) as client:
                yield Ground(server, secure, client, findings)
            server.shutdown()
            secure.shutdown()


_trusting = cache(client_context)
"""Cached, because a context takes as long as many cases."""


async def _be_let_in(server: farcall.Server) -> None:
    """Connect as a new client, call once, and leave."""
    if server.url.startswith("wss"):
        async with farcall.connect(server.url, ssl_context=_trusting()) as client:
            assert await client.call("fuzz.add", 1, 2) == 3
        return
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        raw = Raw(stream)
        await raw.send(UPGRADE)
        await raw.read_head()
        await raw.send(frame(TEXT, QUESTION))
        await raw.expect(frame(TEXT, ANSWER, masked=False))


LONGEST_LINE = 400
"""Characters: an address, farcall's own words, a reason, and a piece of the peer's text."""


class _Findings(logging.Handler):
    """Record lines that must not be in the log: errors, and lines that a peer has forged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = logging.Formatter().format(record)
        is_plain = line.isprintable() and len(line) <= LONGEST_LINE
        if record.levelno >= logging.ERROR or not is_plain:
            self.told.append(line)


@contextmanager
def _findings() -> Iterator[Sequence[str]]:
    findings, logger = _Findings(), logging.getLogger("farcall")
    level = logger.level
    logger.addHandler(findings)
    logger.setLevel(logging.DEBUG)
    try:
        yield findings.told
    finally:
        logger.setLevel(level)
        logger.removeHandler(findings)
