"""Uploads: streams that a caller sends along with the arguments of a call."""

from __future__ import annotations

import json

import pytest

from farcall._protocol.credit import Window
from farcall._protocol.messages import Error, credit, items, upload_end
from tests.unit.protocol.pair import ProtocolPair, use


@pytest.mark.parametrize(
    ("message", "params"),
    [
        (items(b'"u1"', 3, [b"1", b"2"], is_upload=True), {"seq": 3, "values": [1, 2]}),
        (credit(b'"u1"', 7, 8, is_upload=True), {"items": 7, "bytes": 8}),
        (upload_end(b'"u1"'), {}),
        (upload_end(b'"u1"', Error(1, "no")), {"error": {"code": 1, "message": "no"}}),
        (upload_end(b'"u1"', None, 3), {"seq": 3}),
    ],
    ids=["items", "credit", "end", "failure", "count"],
)
def test_control_messages_of_an_upload_name_it(message: bytes, params: dict[str, object]) -> None:
    """Control messages of an upload have `upload` in place of `id`."""
    assert json.loads(message)["params"] == {"upload": "u1", **params}


def test_uploads_have_names_of_their_own(pair: ProtocolPair) -> None:
    """Ids of uploads are counted for each connection, apart from those of calls."""
    assert [pair.client.protocol.uploads.send().id for _ in range(2)] == [b'"u1"', b'"u2"']


def test_items_of_an_upload_come_in_order_until_its_end(pair: ProtocolPair) -> None:
    """Values are passed on as they were written; after the end the id is free."""
    outgoing, incoming = pair.upload()
    protocol = pair.client.protocol
    pair.client.send(
        protocol.upload_items(outgoing, [b"1", b"[ ]"]),
        protocol.upload_items(outgoing, [b"3"]),
        upload_end(outgoing.id),
    )

    assert pair.to_server() == [
        ("upload items", incoming, [b"1", b"[ ]"]),
        ("upload items", incoming, [b"3"]),
        ("upload end", incoming, None),
    ]
    assert pair.server.protocol.uploads.receive(outgoing.id) is not None


def test_an_upload_may_fail(pair: ProtocolPair) -> None:
    """A failed upload ends with the error of its sender."""
    outgoing, incoming = pair.upload()
    pair.client.send(upload_end(outgoing.id, Error(7, "why", b'{"a":1}')))

    assert pair.to_server() == [("upload end", incoming, Error(7, "why", b'{"a":1}'))]


@pytest.mark.parametrize(("seq", "is_right"), [(2, True), (None, True), (1, False), (3, False)])
def test_the_end_of_an_upload_counts_its_values(
    pair: ProtocolPair, seq: int | None, is_right: bool
) -> None:
    """`rpc.end` counts the values; an earlier version sends no count."""
    outgoing, incoming = pair.upload()
    items = pair.client.protocol.upload_items(outgoing, [b"1", b"2"])
    pair.client.send(items, upload_end(outgoing.id, None, seq))

    _, told = pair.to_server()

    if is_right:
        assert told == ("upload end", incoming, None)
    else:
        assert told == ("violation", 1002, f"rpc.end counts {seq} items where 2 came")


def test_items_after_the_end_of_the_call_are_dropped(pair: ProtocolPair) -> None:
    """Items that arrive after the response to their call are dropped."""
    outgoing, incoming = pair.upload()
    pair.server.protocol.uploads.end_incoming(incoming)
    pair.client.send(pair.client.protocol.upload_items(outgoing, [b"1"]), upload_end(outgoing.id))

    assert pair.to_server() == []


def test_a_name_is_open_once(pair: ProtocolPair) -> None:
    """An upload with an id that is open is refused."""
    pair.upload()

    assert pair.server.protocol.uploads.receive(b'"u1"') is None


def test_the_end_of_a_former_upload_does_not_end_one_of_the_same_name(pair: ProtocolPair) -> None:
    """A late end of the first upload does not end the second."""
    _, first = pair.upload()
    pair.server.protocol.uploads.end_incoming(first)
    second = pair.server.protocol.uploads.receive(first.id)

    pair.server.protocol.uploads.end_incoming(first)

    assert pair.server.protocol.uploads.incoming == {first.id: second}


def test_credit_of_an_upload_lets_its_sender_go_on(pair: ProtocolPair) -> None:
    """Credit is granted at half of the window; old totals give nothing."""
    outgoing, incoming = pair.upload()
    window = Window()
    for count in (1, window.items - 1):
        pair.client.send(pair.client.protocol.upload_items(outgoing, [b"1"] * count))
    pair.to_server()
    assert outgoing.credit.items_left == 0

    given = [use(incoming, 1) for _ in range(window.items // 2)]

    assert given[:-1] == [None] * (window.items // 2 - 1)
    pair.server.send(given[-1])
    assert pair.to_client() == [("upload credit", outgoing)]
    assert outgoing.credit.items_left == window.items // 2
    pair.server.send(given[-1])
    assert pair.to_client() == []


def test_credit_for_an_upload_that_has_ended_is_dropped(pair: ProtocolPair) -> None:
    """Credit for an upload that has ended is ignored."""
    outgoing, _ = pair.upload()
    assert pair.client.protocol.uploads.end_outgoing(outgoing)
    assert not pair.client.protocol.uploads.end_outgoing(outgoing)

    assert pair.client.receive(credit(outgoing.id, 99, 99, is_upload=True)) == []


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (items(b'"u1"', 1, [b"1"], is_upload=True), "rpc.items with seq 1, expected 0"),
        (items(b'"u1"', 0, [b"1"] * 33, is_upload=True), "rpc.items beyond the credit"),
    ],
    ids=["seq", "credit"],
)
def test_an_upload_keeps_the_laws_of_streams(
    pair: ProtocolPair, message: bytes, problem: str
) -> None:
    """A gap, or items beyond the credit, are a violation."""
    pair.upload()

    ((what, code, why),) = pair.server.receive(message)

    assert (what, code) == ("violation", 1002)
    assert why.startswith(problem)


@pytest.mark.parametrize(
    "members",
    [
        '"method":"rpc.items","params":{"seq":0,"values":[]}',
        '"method":"rpc.credit","params":{"items":1,"bytes":1}',
        '"method":"rpc.end","params":{}',
        '"method":"rpc.end"',
    ],
)
def test_items_without_an_id_end_the_link(pair: ProtocolPair, members: str) -> None:
    """Items or credit without id and upload are a violation."""
    assert pair.server.say(members)[:2] == ("violation", 1002)


def test_a_plain_peer_has_no_uploads(plain: ProtocolPair) -> None:
    """`rpc.end` of a plain peer is an unknown notification."""
    assert plain.server.receive(upload_end(b'"u1"')) == [("stray", "a notification rpc.end")]


def test_the_end_of_the_link_ends_all_uploads(pair: ProtocolPair) -> None:
    """After the end of the link no upload is open."""
    pair.upload()

    pair.client.protocol.cut()
    pair.server.protocol.cut()

    assert not pair.client.protocol.uploads.outgoing
    assert not pair.server.protocol.uploads.incoming
