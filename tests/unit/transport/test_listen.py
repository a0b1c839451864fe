"""Where a server can listen, and what it leaves behind."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio

from farcall._transport.listen import Listeners, Place, _url, open_listeners


@pytest.fixture
def path() -> Iterator[Path]:
    """Give a path that is short enough for a Unix socket, wherever the tests run."""
    with TemporaryDirectory(prefix="fc") as folder:
        yield Path(folder) / "a.sock"


async def listen_at(path: Path) -> Listeners:
    return await open_listeners(Place(unix=path))


async def test_several_addresses_have_one_port() -> None:
    """Asked for any port, all addresses get the same."""
    listeners = await open_listeners(Place(["127.0.0.1", "127.0.0.2"], 0))
    (port,) = set(listeners.ports)

    assert listeners.urls(is_secure=False) == [
        f"ws://127.0.0.1:{port}",
        f"ws://127.0.0.2:{port}",
    ]

    listeners.close()


async def test_a_port_that_is_taken_at_one_address() -> None:
    """Nothing listens at the others then, and the error names the one."""
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"127\.0\.0\.2:{port}: the port is in use"):
            await open_listeners(Place(["127.0.0.1", "127.0.0.2"], port))
        with socket.create_server(("127.0.0.1", port)):
            pass


async def test_no_port_is_free_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked for some times, and no more."""
    monkeypatch.setattr("farcall._transport.listen.PORT_TRIES", 0)
    with pytest.raises(OSError, match=r"no port is free at all addresses of \*, ::1"):
        await open_listeners(Place([None, "::1"], 0))


async def test_a_unix_socket(path: Path) -> None:
    """It is for its owner alone from the start, and its file goes with it."""
    listeners = await listen_at(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert listeners.urls(is_secure=True) == [f"ws+unix://{path}"]
    assert listeners.ports == []

    listeners.close()
    listeners.close()

    assert not path.exists()


async def test_the_mask_of_the_process_stays(path: Path) -> None:
    """It is changed for the socket alone, and also given back when that fails."""
    before = os.umask(0o022)
    try:
        (await listen_at(path)).close()
        with pytest.raises(OSError, match="AF_UNIX path too long"):
            await listen_at(path.with_name("a" * 200))
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


async def test_a_stale_socket_is_replaced(path: Path) -> None:
    """A file that a server left behind does not keep the next one from listening."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))

    listeners = await listen_at(path)
    async with await trio.open_unix_socket(path):
        pass
    listeners.close()


async def test_a_live_socket_is_not_replaced(path: Path) -> None:
    """Who listens goes on, and the error names the path."""
    listeners = await listen_at(path)
    with pytest.raises(OSError, match=f"at {path}: another server listens there") as caught:
        await listen_at(path)

    assert caught.value.errno == errno.EADDRINUSE

    async with await trio.open_unix_socket(path):
        pass
    listeners.close()


async def test_another_file_is_not_replaced(path: Path) -> None:
    """What is no socket may be somebody's work."""
    path.write_text("work")
    with pytest.raises(OSError, match=f"at {path}: there is a file that is not a socket"):
        await listen_at(path)

    assert path.read_text() == "work"


async def test_a_newer_socket_is_not_removed(path: Path) -> None:
    """A server that ends leaves the file alone which another one has made since."""
    old = await listen_at(path)
    path.rename(path.with_name("b.sock"))
    new = await listen_at(path)
    old.close()

    async with await trio.open_unix_socket(path):
        pass
    new.close()
    assert not path.exists()


async def test_a_folder_that_is_not_there(path: Path) -> None:
    """The error names the path, and nothing is left open."""
    with pytest.raises(OSError, match=r"cannot listen at .*/none/a.sock: No such file"):
        await listen_at(path.parent / "none" / "a.sock")


async def test_a_failure_at_one_place_closes_the_others(path: Path) -> None:
    """Either all of it listens, or nothing does."""
    path.write_text("work")
    with pytest.raises(OSError, match="a file that is not a socket"):
        await open_listeners(Place(["127.0.0.1"], 0, path))


def test_the_interface_of_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link-local address means something together with its interface alone."""
    monkeypatch.setattr(socket, "if_indextoname", {7: "eth7"}.__getitem__)

    assert _url("ws", ("fe80::1", 81, 0, 7)) == "ws://[fe80::1%25eth7]:81"
    assert _url("ws", ("fe80::1%eth7", 81, 0, 7)) == "ws://[fe80::1%25eth7]:81"
    assert _url("ws", ("::1", 81, 0, 0)) == "ws://[::1]:81"
    assert _url("wss", ("::", 81, 0, 0)) == "wss://[::1]:81"
    assert _url("wss", ("0.0.0.0", 81)) == "wss://127.0.0.1:81"


async def test_an_inherited_socket() -> None:
    """One that listens already is used as it is."""
    with socket.create_server(("127.0.0.1", 0)) as inherited:
        port = inherited.getsockname()[1]
        listeners = await open_listeners(Place(sockets=[inherited]))

        assert listeners.urls(is_secure=True) == [f"wss://127.0.0.1:{port}"]

        listeners.close()


async def test_an_inherited_socket_that_does_not_listen() -> None:
    """It is refused, with the reason."""
    with socket.socket() as idle, pytest.raises(ValueError, match="cannot be served at"):
        await open_listeners(Place(sockets=[idle]))
