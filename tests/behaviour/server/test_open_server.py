"""`open_server`: a server for as long as a block runs."""

from __future__ import annotations

import errno

import pytest
import trio

import farcall
from farcall import background, service
from tests.ends import wait_until


@service(name="")
class Echo:
    def __init__(self) -> None:
        self.release = trio.Event()
        self.waiting = 0
        self.ends: list[str] = []

    async def say(self, text: str) -> str:
        return text

    async def wait(self) -> str:
        self.waiting += 1
        try:
            await self.release.wait()
        except trio.Cancelled:
            self.ends.append("cancelled")
            raise
        self.ends.append("done")
        return "done"


@service
class Ticker:
    def __init__(self) -> None:
        self.fail = trio.Event()

    async def count(self) -> int:
        return 1

    @background
    async def run(self) -> None:
        await self.fail.wait()
        raise ZeroDivisionError("tick")


async def keep_waiting(url: str, results: list[object]) -> None:
    """Call `wait`, and note its result, or the class of its error."""
    async with farcall.connect(url) as session:
        try:
            results.append(await session.call("wait"))
        except farcall.FarcallError as error:
            results.append(type(error))


async def test_the_block_gets_a_server_that_listens() -> None:
    """A client in the block can call at once, and the server has ended after the block."""
    async with (
        farcall.open_server(Echo(), 0) as server,
        farcall.connect(server.url) as session,
    ):
        assert await session.call("say", "hi") == "hi"

    await server.wait_closed()
    with pytest.raises(farcall.ConnectFailed):
        async with farcall.connect(server.url):
            pass


async def test_a_block_that_ends_lets_running_calls_finish() -> None:
    """The end of the block drains: it refuses new calls, and running ones return."""
    echo, results = Echo(), list[object]()
    async with trio.open_nursery() as nursery:
        async with farcall.open_server(echo, 0) as server:
            nursery.start_soon(keep_waiting, server.url, results)
            await wait_until(lambda: echo.waiting == 1)
            nursery.start_soon(release_when_draining, server, echo)

    assert results == ["done"]
    assert echo.ends == ["done"]


async def release_when_draining(server: farcall.Server, echo: Echo) -> None:
    await server.wait_shutdown()
    echo.release.set()


async def test_a_drain_after_the_block_has_its_limit() -> None:
    """A call that runs for longer than `drain_seconds` is cancelled after the block."""
    echo, results = Echo(), list[object]()
    async with trio.open_nursery() as nursery:
        async with farcall.open_server(echo, 0, drain_seconds=0) as server:
            nursery.start_soon(keep_waiting, server.url, results)
            await wait_until(lambda: echo.waiting == 1)

    assert echo.ends == ["cancelled"]


async def test_an_error_of_the_block_closes_at_once() -> None:
    """A block that raises cancels the handlers, and its error leaves it unchanged."""
    echo, results = Echo(), list[object]()

    async def fail() -> None:
        async with farcall.open_server(echo, 0) as server:
            nursery.start_soon(keep_waiting, server.url, results)
            await wait_until(lambda: echo.waiting == 1)
            raise KeyError("mine")

    async with trio.open_nursery() as nursery:
        with pytest.raises(KeyError, match="mine"):
            await fail()

    assert echo.ends == ["cancelled"]
    assert results == [farcall.ConnectionLost]


async def test_a_cancelled_block_closes_at_once() -> None:
    """The cancellation of a block cancels the handlers, too."""
    echo, results = Echo(), list[object]()
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with farcall.open_server(echo, 0) as server:
                nursery.start_soon(keep_waiting, server.url, results)
                await wait_until(lambda: echo.waiting == 1)
                scope.cancel()
                await trio.sleep_forever()

    assert echo.ends == ["cancelled"]
    assert results == [farcall.ConnectionLost]


async def test_a_failed_background_method_cancels_the_block() -> None:
    """The error of a background method cancels the block, and leaves it unchanged."""
    ticker, ends = Ticker(), list[str]()

    async def serve() -> None:
        async with farcall.open_server(ticker, 0):
            ticker.fail.set()
            try:
                await trio.sleep_forever()
            finally:
                ends.append("cancelled")

    with pytest.raises(ZeroDivisionError, match="tick"):
        await serve()

    assert ends == ["cancelled"]


async def test_shutdown_in_the_block_lets_the_block_go_on() -> None:
    """`shutdown` drains while the block goes on, and its end then has nothing to do."""
    async with farcall.open_server(Echo(), 0) as server:
        server.shutdown()
        await server.wait_closed()
        with pytest.raises(farcall.ConnectFailed):
            async with farcall.connect(server.url):
                pass


async def test_a_port_in_use_raises_where_the_block_begins() -> None:
    """`open_server` raises the error of listening as it is, and the block does not run."""
    async with farcall.open_server(Echo(), 0) as server:
        with pytest.raises(OSError, check=lambda error: error.errno == errno.EADDRINUSE):
            async with farcall.open_server(Echo(), server.port):
                pytest.fail("the block has run")


async def test_a_wrong_argument_raises_before_the_block() -> None:
    """`open_server` checks its arguments when it is called."""
    with pytest.raises(TypeError, match=r"^debug= takes True or False, not 3$"):
        farcall.open_server(Echo(), 0, debug=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"open_server\(\) got an .*; write drain_seconds=$"):
        farcall.open_server(Echo(), 0, drain_second=3)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="nowhere to listen"):
        farcall.open_server(Echo())


async def test_an_awaited_open_server_says_what_to_write() -> None:
    """`await open_server(...)` raises an error that shows the block."""
    with pytest.raises(TypeError, match=r"write `async with open_server\(\.\.\.\) as server:`"):
        await farcall.open_server(Echo(), 0)  # type: ignore[misc]


def test_outside_of_trio_it_says_what_to_write() -> None:
    """Entered without Trio, it says how to run Trio."""
    opening = farcall.open_server(Echo(), 0)

    with pytest.raises(RuntimeError, match=r"farcall.open_server needs Trio.*trio.run\(main\)"):
        opening.__aenter__().send(None)
