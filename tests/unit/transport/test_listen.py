"""Where a server can listen, and what it cleans up."""

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

from farcall._transport.listen import Listeners, ListenSpec, _url, open_listeners


@pytest.fixture
def path() -> Iterator[Path]:
    """Give a path that is short enough for a Unix socket."""
    with TemporaryDirectory(prefix="fc") as folder:
        yield Path(folder) / "a.sock"


async def listen_at(path: Path) -> Listeners:
    return await open_listeners(ListenSpec(unix=path))


async def test_several_addresses_have_one_port() -> None:
    """With port 0, all addresses get the same port."""
    listeners = await open_listeners(ListenSpec(["127.0.0.1", "127.0.0.2"], 0))
    (port,) = set(listeners.ports)

    assert listeners.urls(is_secure=False) == [
        f"ws://127.0.0.1:{port}",
        f"ws://127.0.0.2:{port}",
    ]

    listeners.close()


async def test_a_port_that_is_taken_at_one_address() -> None:
    """If one address fails, no address listens, and the error names the one."""
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"127\.0\.0\.2:{port}: the port is in use"):
            await open_listeners(ListenSpec(["127.0.0.1", "127.0.0.2"], port))
        with socket.create_server(("127.0.0.1", port)):
            pass


async def test_no_port_is_free_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for a common port ends after some tries."""
    monkeypatch.setattr("farcall._transport.listen.PORT_TRIES", 0)
    with pytest.raises(OSError, match=r"no port is free at all addresses of \*, ::1"):
        await open_listeners(ListenSpec([None, "::1"], 0))


async def test_a_unix_socket(path: Path) -> None:
    """A Unix socket has mode 0600 from the start, and its file is removed at the end."""
    listeners = await listen_at(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert listeners.urls(is_secure=True) == [f"ws+unix://{path}"]
    assert listeners.ports == []

    listeners.close()
    listeners.close()

    assert not path.exists()


async def test_the_mask_of_the_process_stays(path: Path) -> None:
    """The umask is changed for the socket alone, and restored even after an error."""
    before = os.umask(0o022)
    try:
        (await listen_at(path)).close()
        with pytest.raises(OSError, match="AF_UNIX path too long"):
            await listen_at(path.with_name("a" * 200))
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


async def test_a_stale_socket_is_replaced(path: Path) -> None:
    """The file of a server that was killed does not stop the next one."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))

    listeners = await listen_at(path)
    async with await trio.open_unix_socket(path):
        pass
    listeners.close()


async def test_a_live_socket_is_not_replaced(path: Path) -> None:
    """A socket in use stays, and the error names the path."""
    listeners = await listen_at(path)
    with pytest.raises(OSError, match=f"at {path}: another server listens there") as caught:
        await listen_at(path)

    assert caught.value.errno == errno.EADDRINUSE

    async with await trio.open_unix_socket(path):
        pass
    listeners.close()


async def test_another_file_is_not_replaced(path: Path) -> None:
    """A file that is not a socket stays."""
    path.write_text("work")
    with pytest.raises(OSError, match=f"at {path}: there is a file that is not a socket"):
        await listen_at(path)

    assert path.read_text() == "work"


async def test_a_newer_socket_is_not_removed(path: Path) -> None:
    """A server that ends leaves the socket of a newer server alone."""
    old = await listen_at(path)
    path.rename(path.with_name("b.sock"))
    new = await listen_at(path)
    old.close()

    async with await trio.open_unix_socket(path):
        pass
    new.close()
    assert not path.exists()


async def test_a_folder_that_is_not_there(path: Path) -> None:
    """If the directory is missing, the error names the path, and nothing stays open."""
    with pytest.raises(OSError, match=r"cannot listen at .*/none/a.sock: No such file"):
        await listen_at(path.parent / "none" / "a.sock")


async def test_a_failure_at_one_place_closes_the_others(path: Path) -> None:
    """Either all sockets listen, or none."""
    path.write_text("work")
    with pytest.raises(OSError, match="a file that is not a socket"):
        await open_listeners(ListenSpec(["127.0.0.1"], 0, path))


def test_the_interface_of_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL of a link-local address names its interface."""
    monkeypatch.setattr(socket, "if_indextoname", {7: "eth7"}.__getitem__)

    assert _url("ws", ("fe80::1", 81, 0, 7)) == "ws://[fe80::1%25eth7]:81"
    assert _url("ws", ("fe80::1%eth7", 81, 0, 7)) == "ws://[fe80::1%25eth7]:81"
    assert _url("ws", ("::1", 81, 0, 0)) == "ws://[::1]:81"
    assert _url("wss", ("::", 81, 0, 0)) == "wss://[::1]:81"
    assert _url("wss", ("0.0.0.0", 81)) == "wss://127.0.0.1:81"


async def test_an_inherited_socket() -> None:
    """A socket that listens already is used as it is."""
    with socket.create_server(("127.0.0.1", 0)) as inherited:
        port = inherited.getsockname()[1]
        listeners = await open_listeners(ListenSpec(sockets=[inherited]))

        assert listeners.urls(is_secure=True) == [f"wss://127.0.0.1:{port}"]

        listeners.close()


async def test_an_inherited_socket_that_does_not_listen() -> None:
    """A socket that does not listen is refused, with the reason."""
    with socket.socket() as idle, pytest.raises(ValueError, match="cannot be served at"):
        await open_listeners(ListenSpec(sockets=[idle]))
