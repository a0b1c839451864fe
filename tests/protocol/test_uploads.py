"""Uploads: streams that a caller sends along with the arguments of a call."""

from __future__ import annotations

import json

import pytest

from farcall._protocol.credit import Window
from farcall._protocol.events import UploadCredit, UploadEnded, UploadItems, Violation
from farcall._protocol.messages import Credit, Error, Items, UploadEnd
from farcall._protocol.uploads import IncomingUpload, OutgoingUpload
from tests.protocol.pair import ProtocolPair


def open_upload(pair: ProtocolPair) -> tuple[OutgoingUpload, IncomingUpload]:
    """Open an upload from the client, and let the server know of it."""
    outgoing = pair.client.protocol.uploads.send()
    incoming = pair.server.protocol.uploads.receive(outgoing.id)
    assert incoming is not None
    return outgoing, incoming


@pytest.mark.parametrize(
    ("message", "params"),
    [
        (Items(b'"u1"', 3, [b"1", b"2"], is_upload=True), {"seq": 3, "values": [1, 2]}),
        (Credit(b'"u1"', 7, 8, is_upload=True), {"items": 7, "bytes": 8}),
        (UploadEnd(b'"u1"'), {}),
        (UploadEnd(b'"u1"', Error(1, "no")), {"error": {"code": 1, "message": "no"}}),
    ],
    ids=["items", "credit", "end", "failure"],
)
def test_what_is_said_of_an_upload_names_it(
    message: Items | Credit | UploadEnd, params: dict[str, object]
) -> None:
    """The member `upload` stands where streams that are called have `id`."""
    assert json.loads(message.render())["params"] == {"upload": "u1", **params}


def test_uploads_have_names_of_their_own(pair: ProtocolPair) -> None:
    """Counted on each connection, whatever ids its calls have."""
    assert [pair.client.protocol.uploads.send().id for _ in range(2)] == [b'"u1"', b'"u2"']


def test_items_of_an_upload_come_in_order_until_its_end(pair: ProtocolPair) -> None:
    """Values are handed on as they were written; after the end the name is free again."""
    outgoing, incoming = open_upload(pair)
    protocol = pair.client.protocol
    pair.client.send(
        protocol.upload_items(outgoing, [b"1", b"[ ]"]),
        protocol.upload_items(outgoing, [b"3"]),
        UploadEnd(outgoing.id),
    )

    assert pair.deliver_to_server() == [
        UploadItems(incoming, [b"1", b"[ ]"]),
        UploadItems(incoming, [b"3"]),
        UploadEnded(incoming, None),
    ]
    assert pair.server.protocol.uploads.receive(outgoing.id) is not None


def test_an_upload_may_fail(pair: ProtocolPair) -> None:
    """Its end says why."""
    outgoing, incoming = open_upload(pair)
    pair.client.send(UploadEnd(outgoing.id, Error(7, "why", b'{"a":1}')))

    assert pair.deliver_to_server() == [UploadEnded(incoming, Error(7, "why", b'{"a":1}'))]


def test_what_comes_after_the_end_of_its_call_is_dropped(pair: ProtocolPair) -> None:
    """It was on its way when the answer left; nobody has done anything wrong."""
    outgoing, incoming = open_upload(pair)
    pair.server.protocol.uploads.end_incoming(incoming)
    pair.client.send(pair.client.protocol.upload_items(outgoing, [b"1"]), UploadEnd(outgoing.id))

    assert pair.deliver_to_server() == []


def test_a_name_is_open_once(pair: ProtocolPair) -> None:
    """A second upload of the same name would be mixed with the first."""
    open_upload(pair)

    assert pair.server.protocol.uploads.receive(b'"u1"') is None


def test_credit_of_an_upload_lets_its_sender_go_on(pair: ProtocolPair) -> None:
    """It is given when half of the window has been read, and old news gives nothing."""
    outgoing, incoming = open_upload(pair)
    window = Window()
    values = [b"1"] * window.items
    pair.client.send(pair.client.protocol.upload_items(outgoing, values))
    pair.deliver_to_server()
    assert outgoing.credit.items_left == 0

    uploads = pair.server.protocol.uploads
    given = [uploads.consume(incoming, 1) for _ in range(window.items // 2)]

    assert given[:-1] == [None] * (window.items // 2 - 1)
    pair.server.send(given[-1])
    assert pair.deliver_to_client() == [UploadCredit(outgoing)]
    assert outgoing.credit.items_left == window.items // 2
    pair.server.send(given[-1])
    assert pair.deliver_to_client() == []


def test_nothing_is_granted_to_an_upload_that_has_ended(pair: ProtocolPair) -> None:
    """Reading what has come goes on all the same."""
    _, incoming = open_upload(pair)
    pair.server.protocol.uploads.end_incoming(incoming)

    assert pair.server.protocol.uploads.consume(incoming, 2**20) is None


def test_credit_for_an_upload_that_has_ended_is_dropped(pair: ProtocolPair) -> None:
    """It was on its way."""
    outgoing, _ = open_upload(pair)
    assert pair.client.protocol.uploads.end_outgoing(outgoing)
    assert not pair.client.protocol.uploads.end_outgoing(outgoing)

    assert pair.client.receive(Credit(outgoing.id, 99, 99, is_upload=True).render()) == []


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        (Items(b'"u1"', 1, [b"1"], is_upload=True), "rpc.items with seq 1 where 0 was due"),
        (Items(b'"u1"', 0, [b"1"] * 33, is_upload=True), "rpc.items beyond the credit"),
    ],
    ids=["seq", "credit"],
)
def test_an_upload_keeps_the_laws_of_streams(
    pair: ProtocolPair, items: Items, problem: str
) -> None:
    """What skips a value, or is more than was granted, ends the link."""
    open_upload(pair)

    (event,) = pair.server.receive(items.render())

    assert isinstance(event, Violation)
    assert event.problem.startswith(problem)


@pytest.mark.parametrize(
    "text",
    [
        b'"method":"rpc.items","params":{"seq":0,"values":[]}',
        b'"method":"rpc.credit","params":{"items":1,"bytes":1}',
        b'"method":"rpc.end","params":{}',
        b'"method":"rpc.end"',
    ],
)
def test_what_names_neither_a_call_nor_an_upload_ends_the_link(
    pair: ProtocolPair, text: bytes
) -> None:
    """No peer that follows the protocol sends that."""
    (event,) = pair.server.receive(b'{"jsonrpc":"2.0",%b}' % text)

    assert isinstance(event, Violation)


def test_a_plain_peer_has_no_uploads(plain: ProtocolPair) -> None:
    """To it `rpc.end` is a name like any other that is not known."""
    (event,) = plain.server.receive(UploadEnd(b'"u1"').render())

    assert not isinstance(event, UploadEnded | Violation)


def test_the_end_of_the_link_ends_all_uploads(pair: ProtocolPair) -> None:
    """Nothing of them is kept."""
    open_upload(pair)

    pair.client.protocol.cut()
    pair.server.protocol.cut()

    assert not pair.client.protocol.uploads.outgoing
    assert not pair.server.protocol.uploads.incoming
