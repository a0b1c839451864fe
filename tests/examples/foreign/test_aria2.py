"""The example of aria2, against a server that answers as aria2 does."""

from __future__ import annotations

import trio

from examples.foreign.aria2 import Status, download
from tests.examples.foreign.servers import ForeignServer, Then, serving

GID = "2089b05ecca3d829"


def add_uri(secret: str, uris: list[str], options: object = None) -> object:
    assert (secret, uris, options) == ("token:s3cret", ["https://example.org/file"], None)
    return Then(
        GID, [(f"aria2.onDownload{what}", [{"gid": GID}]) for what in ("Start", "Complete")]
    )


def tell_status(secret: str, gid: str) -> object:
    lengths = {"totalLength": "34896138", "completedLength": "34896138"}
    return {"gid": gid, "status": "complete", **lengths, "bitfield": "ffff"}


async def test_a_download_is_followed() -> None:
    """Arguments are sent by position, and notifications call the served object."""
    aria2 = ForeignServer(
        {"aria2.addUri": add_uri, "aria2.tellStatus": tell_status},
        unknown={"code": 1, "message": "No such method: rpc.hello"},
    )
    async with serving(aria2) as url:
        with trio.fail_after(5):
            status = await download("https://example.org/file", url, "s3cret")

    assert status == Status(GID, "complete", "34896138", "34896138")
    assert [each["method"] for each in aria2.heard] == [
        "rpc.hello",
        "aria2.addUri",
        "aria2.tellStatus",
    ]
