"""A client of aria2, a download manager that speaks JSON-RPC over WebSocket.

Run ``aria2c --enable-rpc`` in one terminal and
``python -m examples.foreign.aria2 https://example.org/file`` in another.
"""

from __future__ import annotations

import functools
import sys

import attrs
import trio

import farcall


@attrs.frozen
class Status:
    """The progress of a download; aria2 sends numbers as strings."""

    gid: str
    status: str
    total_length: str = attrs.field(alias="totalLength")
    completed_length: str = attrs.field(alias="completedLength")


class Aria2Proxy(farcall.Proxy):
    """The methods of aria2 that this program calls.

    aria2 expects arguments as an array, so all parameters stand before the slash.
    """

    @farcall.endpoint("aria2.addUri")
    async def add_uri(
        self, secret: str, uris: list[str], options: dict[str, str] = farcall.OMIT, /
    ) -> str:
        """Start a download, and return its id."""
        raise NotImplementedError

    @farcall.endpoint("aria2.tellStatus")
    async def tell_status(self, secret: str, gid: str, keys: list[str] = farcall.OMIT, /) -> Status:
        """Return the progress of a download."""
        raise NotImplementedError


@attrs.frozen
class Event:
    """The parameter of a notification of aria2."""

    gid: str


@farcall.service(name="aria2")
class Notifications:
    """The notifications of aria2; it chose the names of these methods."""

    def __init__(self) -> None:
        self._ended = dict[str, trio.Event]()

    async def onDownloadComplete(self, event: Event, /) -> None:  # noqa: N802
        """Note that a download is complete."""
        self._end_of(event.gid).set()

    async def onDownloadError(self, event: Event, /) -> None:  # noqa: N802
        """Note that a download has failed."""
        self._end_of(event.gid).set()

    @farcall.local
    async def wait_ended(self, gid: str) -> None:
        """Wait until a download has ended; return at once if it already has."""
        await self._end_of(gid).wait()

    def _end_of(self, gid: str) -> trio.Event:
        return self._ended.setdefault(gid, trio.Event())


async def download(uri: str, url: str = "ws://127.0.0.1:6800/jsonrpc", secret: str = "") -> Status:
    """Let aria2 download a file, and wait until the download has ended."""
    token = f"token:{secret}"
    notifications = Notifications()
    async with farcall.connect(url, Aria2Proxy, serves=[notifications]) as aria2:
        gid = await aria2.add_uri(token, [uri])
        await notifications.wait_ended(gid)
        return await aria2.tell_status(token, gid)


if __name__ == "__main__":
    print(trio.run(functools.partial(download, sys.argv[1])))
