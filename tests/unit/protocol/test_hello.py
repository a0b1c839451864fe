"""The hello of farcall peers, in time and at a wrong time."""

from __future__ import annotations

import json

import pytest

from tests.unit.protocol.pair import ProtocolPair, make_hello
from tests.unit.protocol.reply import refused, replied


def test_a_hello_makes_the_dialect_farcalls(plain: ProtocolPair) -> None:
    """After the hello both sides have the other's greeting, and arrays are bundles."""
    plain.greet()

    assert plain.client.protocol.peer == make_hello()
    assert plain.server.protocol.peer == make_hello()


def test_the_answer_to_a_hello_is_no_bundle(plain: ProtocolPair) -> None:
    """The side that dialled takes no bundle before the response to its hello."""
    plain.client.greet()
    assert plain.to_server() == [("hello", make_hello())]

    (frame,) = plain.server.sent
    assert json.loads(frame)["result"]["contracts"] == {"Market": "8f1c0a"}


@pytest.mark.parametrize(("client", "server", "answered"), [(1, 1, 1), (3, 2, 2), (2, 3, 2)])
def test_the_lower_version_holds(client: int, server: int, answered: int) -> None:
    """The response to a hello has the lower of the two versions."""
    pair = ProtocolPair.greeted(make_hello(v=client), make_hello(v=server))

    assert pair.client.protocol.peer == make_hello(v=answered)


def test_unknown_features_and_members_are_ignored(plain: ProtocolPair) -> None:
    """Features and members of a later version are ignored."""
    plain.server.receive(
        '{"jsonrpc":"2.0","id":"h","method":"rpc.hello","meta":5,"more":1,'
        '"params":{"v":7,"features":["zip"],"more":{},"limits":{"more":1}}}'
    )

    assert plain.server.protocol.is_greeted
    assert json.loads(plain.server.sent.popleft())["id"] == "h"


HELLO = '"method":"rpc.hello","params":{"v":1}'


def assert_still_plain(pair: ProtocolPair) -> None:
    assert not pair.server.protocol.is_greeted
    pair.server.called('"id":99,"method":"rpc.on"')


@pytest.mark.parametrize(
    "first",
    [
        '{"jsonrpc":"2.0","method":"a"}',
        '{"jsonrpc":"2.0","id":1,"method":"a"}',
        "{",
        "5",
        "[]",
        '{"jsonrpc":"2.0","id":1,"method":"rpc.hello"}',
    ],
)
def test_a_hello_comes_first_or_is_refused(plain: ProtocolPair, first: str) -> None:
    """A hello after any other message, even a malformed hello, is refused."""
    plain.server.receive(first)

    assert refused(plain.server.say(f'"id":7,{HELLO}'), -32600) == 7
    assert_still_plain(plain)


def test_a_hello_in_a_batch_is_refused(plain: ProtocolPair) -> None:
    """A hello in a batch is refused: a batch is of the plain dialect."""
    (told,) = plain.server.receive(f'[{{"jsonrpc":"2.0","id":7,{HELLO}}}]')

    (answer,) = replied(told)
    assert (answer["id"], answer["error"]["code"]) == (7, -32600)
    assert_still_plain(plain)


def test_a_hello_without_an_id_is_refused(plain: ProtocolPair) -> None:
    """A hello without an id is refused: it needs a response."""
    assert refused(plain.server.say(HELLO), -32600) is None
    assert_still_plain(plain)


def test_a_second_hello_is_refused(pair: ProtocolPair) -> None:
    """A second hello is refused, and changes nothing."""
    assert refused(pair.server.say('"id":7,"method":"rpc.hello","params":{"v":9}'), -32600) == 7
    assert pair.server.protocol.peer == make_hello()


def test_a_server_does_not_greet(plain: ProtocolPair) -> None:
    """A hello from the side that accepted is refused."""
    assert plain.client.say(f'"id":7,{HELLO}')[0] == "stray"
    assert not plain.client.protocol.is_greeted


@pytest.mark.parametrize(
    "params", ["[]", '{"v":0}', '{"v":"1"}', '{"v":1,"limits":{"message":-5}}', "null"]
)
def test_a_malformed_hello_is_refused(plain: ProtocolPair, params: str) -> None:
    """The error says what is wrong, and the dialect stays plain."""
    told = plain.server.say(f'"id":7,"method":"rpc.hello","params":{params}')

    assert refused(told, -32602) == 7
    assert replied(told)["error"]["data"]["errors"][0]["path"] == "params"
    assert_still_plain(plain)


def test_calls_sent_after_a_hello_are_read(plain: ProtocolPair) -> None:
    """A peer may call before the response to its hello, without bundles."""
    plain.client.greet()
    plain.client.call("add")

    assert [what for what, *_ in plain.to_server()] == ["hello", "request"]
