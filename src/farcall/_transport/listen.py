"""The sockets at which a server listens: TCP at several addresses, Unix sockets, inherited ones."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Final, TypeAlias

import trio
from msgspec import Struct, field

from farcall._transport.url import tcp_url, unix_url

PORT_TRIES: Final = 10
"""How often to try to find a port that is free at all addresses."""

MOST_WAITING: Final = 0xFFFF
"""Connections that may wait to be accepted, as for Trio's listeners; the system takes fewer."""

OWNER_ONLY: Final = 0o177
"""The umask under which a Unix socket is made, so that its mode is 0600."""


class ListenSpec(Struct, frozen=True):
    """Where a server listens."""

    hosts: Sequence[str | None] = ()
    """Names and addresses; None is every interface."""
    port: int = 0
    unix: Path | None = None
    sockets: Sequence[socket.socket] = ()
    """Sockets that listen already."""


class Listeners(Struct):
    """The sockets of one server.

    Resources:
        The sockets, and the file of the Unix socket; `close` ends both.
    """

    sockets: list[trio.SocketListener] = field(default_factory=list[trio.SocketListener])
    files: list[SocketFile] = field(default_factory=list["SocketFile"])

    def urls(self, *, is_secure: bool) -> list[str]:
        """The URL of each for clients on this machine; Unix sockets have no TLS."""
        scheme = "wss" if is_secure else "ws"
        return [_url(scheme, name) for name in self._names]

    @property
    def is_open_to_all(self) -> bool:
        """Whether one of them listens at every address of the machine."""
        return any(isinstance(name, tuple) and _is_wildcard(name[0]) for name in self._names)

    @property
    def ports(self) -> list[int]:
        """The port of each TCP socket."""
        return [name[1] for name in self._names if isinstance(name, tuple)]

    @property
    def _names(self) -> list[_SocketName]:
        return [listener.socket.getsockname() for listener in self.sockets]

    def close(self) -> None:
        """Close the sockets; a second time it does nothing."""
        for file in self.files:
            file.remove()
        for listener in self.sockets:
            listener.socket.close()


_SocketName: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | str | bytes
"""The name of a socket: IPv4, IPv6 with its flow and its interface, or a path."""


def _url(scheme: str, name: _SocketName) -> str:
    if isinstance(name, str | bytes):
        # A relative path means the same only where the client works in the same folder.
        return unix_url(os.path.abspath(os.fsdecode(name)))
    host, port, *more = name
    if _is_wildcard(host):
        # A client cannot connect to such an address.
        host = "::1" if ":" in host else "127.0.0.1"
    elif more and more[-1]:
        host = f"{host.partition('%')[0]}%{socket.if_indextoname(more[-1])}"
    return tcp_url(scheme, host, port)


def _is_wildcard(host: str) -> bool:
    return ip_address(host).is_unspecified


async def open_listeners(spec: ListenSpec) -> Listeners:
    """Open all sockets of `spec`, or none.

    Raises:
        OSError: it cannot; names the address and the reason.
        ValueError: a given socket does not listen.
    """
    listeners = Listeners()
    try:
        listeners.sockets += [_adopted(each) for each in spec.sockets]
        if spec.hosts:
            listeners.sockets += await _listen_tcp(spec.hosts, spec.port)
        if spec.unix is not None:
            await _listen_unix(spec.unix, listeners)
    except BaseException:
        listeners.close()
        raise
    return listeners


def _adopted(sock: socket.socket) -> trio.SocketListener:
    try:
        return trio.SocketListener(trio.socket.from_stdlib_socket(sock))
    except ValueError as error:
        raise ValueError(f"{sock!r} cannot be served at: {error}") from error


async def _listen_tcp(hosts: Sequence[str | None], port: int) -> list[trio.SocketListener]:
    """Listen at all addresses, with the same port at each of them."""
    if port:
        return await _open_all(hosts, port)
    for _ in range(PORT_TRIES):
        listeners = await _open_all(hosts, 0)
        ports = [listener.socket.getsockname()[1] for listener in listeners]
        if len(set(ports)) == 1:
            return listeners
        _close(listeners)  # for port 0, the system chooses one for each address
        with suppress(OSError):
            return await _open_all(hosts, ports[0])
    shown = ", ".join(host or "*" for host in hosts)
    raise OSError(errno.EADDRINUSE, f"no port is free at all addresses of {shown}")


async def _open_all(hosts: Sequence[str | None], port: int) -> list[trio.SocketListener]:
    listeners: list[trio.SocketListener] = []
    for host in hosts:
        try:
            listeners += await trio.open_tcp_listeners(port, host=host)
        except OSError as error:
            _close(listeners)
            problem = _PROBLEMS.get(error.errno or 0, error.strerror or str(error))
            raise _cannot_listen(f"{host or '*'}:{port}", error, problem) from error
    return listeners


def _close(listeners: Sequence[trio.SocketListener]) -> None:
    for listener in listeners:
        listener.socket.close()


class SocketFile(Struct, frozen=True):
    """The file of a Unix socket, as it was when it was made."""

    path: Path
    identity: tuple[int, int]
    """Its device and inode."""

    is_socket: bool

    @classmethod
    def at(cls, path: Path) -> SocketFile:
        found = path.lstat()
        # Absolute, for the process may have changed its directory when it removes the file.
        return cls(path.absolute(), (found.st_dev, found.st_ino), stat.S_ISSOCK(found.st_mode))

    def remove(self) -> None:
        """Remove the file, unless it is another one by now, such as that of a newer server."""
        with suppress(FileNotFoundError):
            if SocketFile.at(self.path) == self:
                self.path.unlink()


async def _listen_unix(path: Path, listeners: Listeners) -> None:
    try:
        if not hasattr(socket, "AF_UNIX"):
            problem = "this system has no Unix sockets; listen at a port"
            raise OSError(errno.EAFNOSUPPORT, problem)
        await _remove_stale(path)
        sock = socket.socket(socket.AF_UNIX)
        try:
            _bind(sock, path)
            listeners.files.append(SocketFile.at(path))
            sock.listen(MOST_WAITING)
            listeners.sockets.append(_adopted(sock))
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        raise _cannot_listen(str(path), error, error.strerror or str(error)) from error


def _bind(sock: socket.socket, path: Path) -> None:
    # The mode is set by the umask, for anybody could connect between a bind and a chmod. The umask
    # is that of the process: files that other threads make meanwhile have fewer rights, never more.
    before = os.umask(OWNER_ONLY)
    try:
        sock.bind(os.fspath(path))
    finally:
        os.umask(before)


async def _remove_stale(path: Path) -> None:
    """Remove the socket of a server that was killed.

    Raises:
        OSError: another server listens there, or the file is not a socket.
    """
    try:
        found = SocketFile.at(path)
    except FileNotFoundError:
        return
    if not found.is_socket:
        raise OSError(errno.EEXIST, "there is a file that is not a socket")
    try:
        await (await trio.open_unix_socket(path)).aclose()
    except ConnectionRefusedError:  # no process has it open
        found.remove()
    else:
        raise OSError(errno.EADDRINUSE, "another server listens there")


CANNOT_LISTEN: Final = "cannot listen at"
"""How the text of such an error begins."""


def _cannot_listen(where: str, error: OSError, problem: str) -> OSError:
    return OSError(error.errno, f"{CANNOT_LISTEN} {where}: {problem}")


_PROBLEMS: Final[Mapping[int, str]] = {
    errno.EADDRINUSE: "the port is in use; choose another, or 0 for any",
    errno.EACCES: "ports below 1024 are for the superuser",
}
"""What some errors of the system mean for TCP."""
